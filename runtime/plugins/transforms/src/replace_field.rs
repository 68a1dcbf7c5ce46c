//! Pure. ReplaceField: drops and renames fields.

use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;

use weir_sdk::fields::Edits;
use weir_sdk::prelude::*;

use crate::settings::{self, Empty, invalid, names};
use crate::subject::{self, Half, replace_null_with_default, require_fields};

/// Connect's ReplaceField.
pub struct ReplaceField<H> {
    exclude: HashSet<String>,
    include: HashSet<String>,
    renames: HashMap<String, String>,
    replace_null: bool,
    edits: Edits,
    half: PhantomData<H>,
}

impl<H: Half> Transformation for ReplaceField<H> {
    fn class() -> Class {
        subject::class::<H>("ReplaceField", "Filter or rename fields.")
            .key(
                Key::list("exclude")
                    .default("")
                    .doc("Fields to exclude. This takes precedence over the fields to include."),
            )
            .key(
                Key::list("include")
                    .default("")
                    .doc("Fields to include. If specified, only these fields will be used."),
            )
            .key(Key::list("renames").default("").doc("Field rename mappings."))
            .key(replace_null_with_default())
            .wants_validate()
    }

    fn validate(config: &Config) -> Vec<Problem> {
        lists(config).err().map_or_else(Vec::new, settings::problems)
    }

    fn configure(config: &Config) -> Result<Self> {
        let (exclude, include, renames) = lists(config)?;
        Ok(ReplaceField {
            exclude: exclude.into_iter().collect(),
            include: include.into_iter().collect(),
            renames,
            replace_null: settings::replace_null(config)?,
            edits: Edits::default(),
            half: PhantomData,
        })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: H::PART, writes: H::PART }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        if record.is_null(H::SIDE) {
            return Ok(Outcome::Keep);
        }
        let (exclude, include, renames) = (&self.exclude, &self.include, &self.renames);
        self.edits.apply(
            record,
            H::SIDE,
            0,
            |layout| {
                require_fields(layout, "field replacement")?;
                if self.replace_null {
                    layout.default_nulls();
                }
                layout.select(|name| {
                    let stays = !exclude.contains(name) && (include.is_empty() || include.contains(name));
                    stays.then(|| renames.get(name).map_or(name, |to| to).to_owned())
                })
            },
            |_, _, _| Ok(()),
        )?;
        Ok(Outcome::Keep)
    }
}

type Lists = (Vec<String>, Vec<String>, HashMap<String, String>);

fn lists(config: &Config) -> Result<Lists> {
    let exclude = names(config, "exclude", Empty::Allowed);
    let include = names(config, "include", Empty::Allowed);
    settings::all3(exclude, include, renames(config))
}

fn renames(config: &Config) -> Result<HashMap<String, String>> {
    let mappings = config.list("renames");
    let mut renames = HashMap::new();
    for mapping in &mappings {
        // Java's split leaves out what is empty at the end.
        let mut parts: Vec<&str> = mapping.split(':').collect();
        while parts.len() > 1 && parts.last() == Some(&"") {
            parts.pop();
        }
        let [from, to] = parts[..] else {
            return Err(invalid("renames", &settings::shown(&mappings), &format!("Invalid rename mapping: {mapping}")));
        };
        renames.insert(from.to_owned(), to.to_owned());
    }
    Ok(renames)
}
