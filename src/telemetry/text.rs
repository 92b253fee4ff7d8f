//! The two ways in which measurements are written. Ours is OpenMetrics 1.0; what Prometheus wrote before is made
//! of it for tools that read nothing else.

/// The media type of OpenMetrics.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// That of Prometheus' own text format.
pub const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether whoever sent this `Accept` (RFC 9110 §12.5.1) reads OpenMetrics.
pub fn takes_open_metrics(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_it = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("application/openmetrics-text"));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        is_it && weight.is_none_or(|weight| weight.parse().unwrap_or(0.0_f32) > 0.0)
    })
}

/// OpenMetrics as Prometheus' text format 0.0.4: there a counter is called by its whole name where it is described,
/// too, and nothing stands at the end.
pub fn plain(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        let name = line
            .strip_prefix("# HELP ")
            .and_then(|rest| rest.split_once(' '));
        let is_counter = |name: &str, line: &str| {
            let described = line
                .strip_prefix("# TYPE ")
                .and_then(|rest| rest.split_once(' '));
            described == Some((name, "counter"))
        };
        match name {
            _ if line == "# EOF" => {}
            Some((name, help)) if lines.peek().is_some_and(|next| is_counter(name, next)) => {
                lines.next();
                text += &format!("# HELP {name}_total {help}\n# TYPE {name}_total counter\n");
            }
            _ => {
                text += line;
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_described_by_their_whole_name() {
        let open = "# HELP a_b What.\n# TYPE a_b counter\na_b_total{x=\"1\"} 2\n\
                    # HELP c_seconds How long.\n# TYPE c_seconds histogram\nc_seconds_count 1\n# EOF\n";
        let old = "# HELP a_b_total What.\n# TYPE a_b_total counter\na_b_total{x=\"1\"} 2\n\
                   # HELP c_seconds How long.\n# TYPE c_seconds histogram\nc_seconds_count 1\n";
        assert_eq!(plain(open), old);
    }

    #[test]
    fn whoever_asks_gets_what_they_read() {
        for (accept, takes) in [
            (
                "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                true,
            ),
            ("application/openmetrics-text", true),
            ("application/openmetrics-text;q=0, text/plain", false),
            ("text/plain;version=0.0.4", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(takes_open_metrics(accept), takes, "{accept}");
        }
    }
}
