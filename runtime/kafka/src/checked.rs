//! Settings of Java's clients as librdkafka's properties, after librdkafka was asked about the value of each.

use weir_core::model::Problem;
use weir_core::port::ClientSettings;

use crate::native::refusals;
use crate::properties::{ClientKind, Mapped, Origin, map, problem};

/// Maps settings, or says everything that is wrong with them as far as it shows before a client is made.
pub(crate) fn checked(kind: ClientKind, origin: Origin, settings: &ClientSettings) -> Result<Mapped, Vec<Problem>> {
    let (mapped, mut problems) = map(kind, origin, settings).map_or_else(
        |problems| {
            // What is right as far as the mapping knows may be wrong to librdkafka.
            let mut rest = settings.clone();
            rest.retain(|key, _| !problems.iter().any(|problem| problem.key == *key));
            (map(kind, origin, &rest).unwrap_or_default(), problems)
        },
        |mapped| (mapped, Vec::new()),
    );
    for (property, why) in refusals(&mapped.properties) {
        let key = mapped.origins.get(&property).unwrap_or(&property);
        problems.push(problem(key, settings.get(key).map_or("", |value| value.trim()), &why));
    }
    if problems.is_empty() { Ok(mapped) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_librdkafka_refuses_is_named_as_it_was_given() {
        for (kind, key, value, why) in [
            (ClientKind::Producer, "compression.type", "bogus", "expected none, gzip, snappy, lz4 or zstd"),
            (ClientKind::Producer, "linger.ms", "-5", "outside allowed range 0..900000"),
            (ClientKind::Producer, "compression.gzip.level", "99", "outside allowed range -1..12"),
            (ClientKind::Consumer, "fetch.max.wait.ms", "soon", "fetch.wait.max.ms"),
            (ClientKind::Consumer, "check.crcs", "perhaps", "true or false"),
            (ClientKind::Admin, "client.dns.lookup", "none", "use_all_dns_ips or resolve"),
        ] {
            let settings = ClientSettings::from([(key.to_owned(), value.to_owned())]);
            let problems = checked(kind, Origin::Connector, &settings).unwrap_err();
            assert_eq!((problems.len(), problems[0].key.as_str()), (1, key));
            let message = &problems[0].message;
            assert!(message.starts_with(&format!("{key}={value}: ")) && message.contains(why), "{message}");
        }
        let both = ["client.dns.lookup", "linger.ms"].map(|key| (key.to_owned(), "x".to_owned()));
        assert_eq!(checked(ClientKind::Producer, Origin::Worker, &both.into()).unwrap_err().len(), 2);
        let right = ClientSettings::from([("linger.ms".to_owned(), " 5 ".to_owned())]);
        assert!(checked(ClientKind::Producer, Origin::Worker, &right).is_ok());
    }
}
