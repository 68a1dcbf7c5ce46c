//! What becomes of more tasks than `tasks.max` (Worker.checkTasksMax, TooManyTasksException). `check` decides it.

use crate::settings::ConnectorSettings;

/// A connector has as many tasks as it may have, or more than that, on which there is something to say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tasks {
    /// As many as it may have.
    Within,
    /// More, and they are started. What is said of it.
    Over(String),
}

/// Whether a connector may have so many tasks; else what it fails with.
pub(super) fn check(settings: &ConnectorSettings, tasks: usize) -> Result<Tasks, String> {
    let (name, most) = (&settings.name, settings.tasks_max);
    if tasks <= most as usize {
        return Ok(Tasks::Within);
    }
    let what = format!(
        "The connector {name} has generated {tasks} tasks, which is greater than {most}, the maximum number of tasks it \
         is configured to create."
    );
    if settings.tasks_max_enforce {
        return Err(format!(
            "{what} This behaviour should be considered a bug and is disallowed. If necessary, it can be permitted by \
             reconfiguring the connector with 'tasks.max.enforce' set to false; however, this option will be removed in \
             a future release of Kafka Connect."
        ));
    }
    Ok(Tasks::Over(format!(
        "{what} This behavior should be considered a bug and will be disallowed in future releases of Kafka Connect. \
         Please report this to the maintainers of the connector and request that they adjust their connector's \
         taskConfigs() method to respect the maxTasks parameter."
    )))
}

/// The same, where what there is to say is logged.
pub(super) fn enforce(settings: &ConnectorSettings, tasks: usize) -> Result<(), String> {
    match check(settings, tasks)? {
        Tasks::Within => {}
        Tasks::Over(warning) => tracing::warn!(connector = settings.name, "{warning}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_tasks_than_there_may_be_are_a_failure_or_where_that_is_off_a_warning() {
        let settings = |enforce: &str| {
            let entries = [("name", "c"), ("connector.class", "X"), ("tasks.max", "2"), ("tasks.max.enforce", enforce)];
            let config = entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            ConnectorSettings::parse(&config).unwrap()
        };
        assert_eq!([check(&settings("true"), 2), check(&settings("false"), 0)], [Ok(Tasks::Within), Ok(Tasks::Within)]);
        let begins = "The connector c has generated 3 tasks, which is greater than 2, the maximum number of tasks it is \
                      configured to create. This behavio";
        let failure = check(&settings("TRUE"), 3).unwrap_err();
        assert!(failure.starts_with(begins) && failure.contains("is disallowed"), "{failure}");
        let Ok(Tasks::Over(warning)) = check(&settings("false"), 3) else { panic!("they are started") };
        assert!(warning.starts_with(begins) && warning.contains("will be disallowed"), "{warning}");
    }
}
