//! How log lines look: `2026-11-26T10:00:00.123456Z  INFO [name|task-0] weir_core::task: what happened key=value`, with the
//! connector or task that a line is about in front, where there is one (Connect's LoggingContext).

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use weir_core::port::Secrets;

/// Lines for people, without what variables of configurations stand for.
pub struct Text(pub Secrets);

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// Whom the fields of a span are about.
fn owner(fields: &str) -> Option<&str> {
    fields.strip_prefix("owner=")
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        SystemTime.format_time(&mut line)?;
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        if line.has_ansi_escapes() {
            write!(line, " {}{level:>5}\x1b[0m ", colour(level))?;
        } else {
            write!(line, " {level:>5} ")?;
        }
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            if let Some(owner) = fields.and_then(|fields| owner(&fields.fields)) {
                write!(line, "[{owner}] ")?;
                break; // the innermost says most
            }
        }
        write!(line, "{target}: ")?;
        let mut fields = String::new();
        context.format_fields(Writer::new(&mut fields), event)?;
        // No line of what somebody else wrote begins like one of ours.
        writeln!(line, "{}", self.0.hide(fields).replace('\n', "\n    "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;
    use weir_core::settings::Variable;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Kept;

        fn make_writer(&'a self) -> Kept {
            self.clone()
        }
    }

    #[test]
    fn a_line_says_which_connector_or_task_it_is_about() {
        let (kept, secrets) = (Kept::default(), Secrets::default());
        let variable = Variable { provider: "f".into(), path: "/p".into(), key: "k".into() };
        secrets.add(&[(variable, "INFO".to_owned())].into());
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).event_format(Text(secrets)).with_writer(kept.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let name = "lines|task-0";
            let task = tracing::error_span!("task", owner = %name);
            task.in_scope(|| tracing::info!(target: "t", rows = 3, "read"));
            tracing::warn!(target: "t", "alone");
            tracing::info!(target: "t", "INFO is secret\n2026-01-01T00:00:00.000000Z ERROR forged");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| line.split_once("Z ").unwrap().1).collect();
        let expected =
            [" INFO [lines|task-0] t: read rows=3", " WARN t: alone", " INFO t: ${f:/p:k} is secret", "ERROR forged"];
        assert_eq!(lines, expected);
        assert!(text.lines().last().unwrap().starts_with("    2026"), "{text}");
    }
}
