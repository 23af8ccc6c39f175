//! Prometheus' text format, as far as relink needs it: whole numbers, written and read back.
//!
//! Reading is lenient: a line that is none of ours is passed over, so that a file that somebody else wrote, or that
//! was cut off, can keep no run from writing its own.

use std::fmt::Write;

/// One metric with all its samples. Without a sample it is not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    pub name: &'static str,
    /// One line, without a backslash.
    pub help: &'static str,
    pub kind: Kind,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, as long as the process lives.
    Counter,
    Gauge,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub labels: Vec<(String, String)>,
    pub value: i64,
}

impl Sample {
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The whole file, version 0.0.4 of the format.
#[must_use]
pub fn render(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let Family {
            name,
            help,
            kind,
            samples,
        } = family;
        let kind = kind.name();
        // Writing to a text cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for sample in samples {
            let _ = writeln!(text, "{name}{} {}", braced(&sample.labels), sample.value);
        }
    }
    text
}

fn braced(labels: &[(String, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// Every sample that can be read, with its name.
#[must_use]
pub fn parse(text: &str) -> Vec<(String, Sample)> {
    text.split('\n').filter_map(sample).collect()
}

fn sample(line: &str) -> Option<(String, Sample)> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = line.find(|c| !is_of_name(c))?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        (labels, rest) = read_labels(inner)?;
    }
    let value = rest.strip_prefix(' ')?.parse().ok()?;
    (!name.is_empty()).then(|| (name.to_owned(), Sample { labels, value }))
}

type Labels = Vec<(String, String)>;

/// What stands between the braces, and what follows them.
fn read_labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = read_value(after)?;
        labels.push((name.to_owned(), value));
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Some((labels, after.strip_prefix('}')?)),
        }
    }
}

fn read_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn family(labels: Vec<(String, String)>, value: i64) -> Family {
        Family {
            name: "relink_orders",
            help: "Orders by verdict",
            kind: Kind::Gauge,
            samples: vec![Sample { labels, value }],
        }
    }

    #[test]
    fn a_file_is_written_as_prometheus_reads_it() {
        let labels = vec![("scope".to_owned(), "a \"b\" c\\d\ne".to_owned())];
        assert_eq!(
            render(&[
                family(labels, 3),
                Family {
                    samples: Vec::new(),
                    ..family(Vec::new(), 0)
                },
                Family {
                    name: "relink_answers_total",
                    kind: Kind::Counter,
                    ..family(Vec::new(), 7)
                }
            ]),
            "# HELP relink_orders Orders by verdict\n# TYPE relink_orders gauge\n\
             relink_orders{scope=\"a \\\"b\\\" c\\\\d\\ne\"} 3\n\
             # HELP relink_answers_total Orders by verdict\n# TYPE relink_answers_total counter\n\
             relink_answers_total 7\n"
        );
    }

    #[test]
    fn what_is_no_sample_of_ours_is_passed_over() {
        let odd = "# HELP a b\nnode_load1 0.5\n\nrelink_orders{verdict=\"dea\nrelink_a{b=\"c\" 1\n{} 1\nrelink_b 7\nrelink_c";
        let kept = parse(odd);
        assert_eq!(kept.len(), 1);
        assert_eq!((kept[0].0.as_str(), kept[0].1.value), ("relink_b", 7));
    }

    proptest! {
        #[test]
        fn whatever_a_label_holds_it_stays_on_its_line_and_is_read_back(
            one in any::<String>(), other in any::<String>(), value in any::<i64>()
        ) {
            let labels = vec![("one".to_owned(), one), ("other".to_owned(), other)];
            let text = render(&[family(labels.clone(), value)]);
            prop_assert_eq!(text.matches('\n').count(), 3);
            let expected = ("relink_orders".to_owned(), Sample { labels, value });
            prop_assert_eq!(parse(&text), vec![expected]);
        }
    }
}
