//! Findings as files for other programs: one JSON document, or JUnit's XML.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use super::check::Stop;
use super::report::{Counts, Finding, counts};

/// One document: `{"summary":{"passed":1,…},"checks":[{"id":…,"covers":[…],"tried":…,"outcome":"passed",…}]}`. A
/// failed check has `expected` and `seen`, a skipped one `why`.
#[must_use]
pub fn json(findings: &[Finding]) -> String {
    let Counts { passed, failed, skipped } = counts(findings);
    let checks: Vec<_> = findings
        .iter()
        .map(|finding| {
            let about = finding.about;
            let took = u64::try_from(finding.took.as_millis()).unwrap_or(u64::MAX);
            let mut check = json!({"id": about.id, "covers": about.covers, "tried": about.tried, "milliseconds": took});
            match &finding.outcome {
                Ok(()) => check["outcome"] = json!("passed"),
                Err(Stop::Failed { expected, seen }) => {
                    check["outcome"] = json!("failed");
                    check["expected"] = json!(expected);
                    check["seen"] = json!(seen);
                }
                Err(Stop::Skipped(why)) => {
                    check["outcome"] = json!("skipped");
                    check["why"] = json!(why);
                }
            }
            check
        })
        .collect();
    let document = json!({
        "summary": {"passed": passed, "failed": failed, "skipped": skipped},
        "checks": checks,
    });
    format!("{document:#}\n")
}

/// The XML that JUnit made usual: a test case for each check, its class the group of requirements.
#[must_use]
pub fn junit(findings: &[Finding]) -> String {
    let Counts { failed, skipped, .. } = counts(findings);
    let total = seconds(findings.iter().map(|finding| finding.took).sum());
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a `String` cannot fail.
    let _ = writeln!(
        out,
        "<testsuite name=\"susurro-conformance\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" \
         time=\"{total}\">",
        findings.len()
    );
    for finding in findings {
        let about = finding.about;
        let _ = write!(
            out,
            "  <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
            escaped(about.group()),
            escaped(&format!("{} {}", about.id, about.tried)),
            seconds(finding.took)
        );
        let _ = match &finding.outcome {
            Ok(()) => writeln!(out, "/>"),
            Err(Stop::Failed { expected, seen }) => writeln!(
                out,
                "><failure message=\"{}\">seen: {}</failure></testcase>",
                escaped(&format!("expected: {expected}")),
                escaped(seen)
            ),
            Err(Stop::Skipped(why)) => writeln!(out, "><skipped message=\"{}\"/></testcase>", escaped(why)),
        };
    }
    out.push_str("</testsuite>\n");
    out
}

fn seconds(took: Duration) -> String {
    format!("{:.3}", took.as_secs_f64())
}

/// Text in XML 1.0: markup escaped, and characters that XML cannot hold replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(' '),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::About;

    fn findings() -> Vec<Finding> {
        let about = |id, tried| About { id, covers: &["HS-1"], tried };
        let took = Duration::from_millis(1500);
        vec![
            Finding { about: about("HS-1/a", "one"), outcome: Ok(()), took },
            Finding { about: about("HS-1/b", "two"), outcome: Err(Stop::failed("<4109>", "\"\x1b\" & more")), took },
            Finding { about: about("HS-1/c", "three"), outcome: Err(Stop::skipped("no")), took },
        ]
    }

    #[test]
    fn json_tells_each_outcome() {
        let read: serde_json::Value = serde_json::from_str(&json(&findings())).unwrap_or_default();
        assert_eq!(read["summary"], json!({"passed": 1, "failed": 1, "skipped": 1}));
        assert_eq!(read["checks"][0]["outcome"], "passed");
        assert_eq!(read["checks"][1]["expected"], "<4109>");
        assert_eq!(read["checks"][2]["why"], "no");
    }

    #[test]
    fn junit_escapes_what_a_program_said() {
        let xml = junit(&findings());
        assert!(xml.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"4.500\""), "{xml}");
        assert!(xml.contains("message=\"expected: &lt;4109&gt;\">seen: &quot;\u{fffd}&quot; &amp; more<"), "{xml}");
    }
}
