//! Requests as commands for a shell.

use anyhow::Result;

use super::case::{Key, Step};
use super::model::ABSENT;
use crate::values::Values;

/// What the commands need.
pub(super) fn prelude(values: &Values) -> Result<Vec<String>> {
    let project = values.fill("<project_id>")?;
    let signed = r#"signed() { dms-kafka sign --output json "$@" | jq -r '.headers[] | .name + ": " + .value'; }"#;
    let request = r#"request() { signed -X "$1" -H 'X-Project-Id: PROJECT' ${3+-H 'Content-Type: application/json' -d "$3"} "$2" | curl -isS -X "$1" -H @- --path-as-is ${3+--data-raw "$3"} "$2"; }"#;
    Ok(vec![
        "# dms-kafka, curl and jq; HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK have the key"
            .to_owned(),
        signed.to_owned(),
        request.replace("PROJECT", &project),
    ])
}

/// A command that sends the request of a step, without secrets.
pub(super) fn shell(step: &Step, values: &Values, endpoint: &str) -> Result<String> {
    let Step {
        method,
        path,
        signing,
        then,
        ..
    } = step;
    let url = |query: &String| -> Result<String> {
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{query}")
        };
        Ok(quoted(&format!(
            "{endpoint}{}",
            values.fill(&format!("{path}{query}"))?
        )))
    };
    let body = |body: &Option<String>| body.as_ref().map(|text| argument(text, values)).transpose();
    let (signed_url, signed_body) = (url(&step.query)?, body(&step.body)?);
    let is_simple = signing.key == Key::Own && signing.seconds == 0 && signing.headers.is_none();
    if is_simple
        && then.query.is_none()
        && then.body.is_none()
        && then.digits.is_none()
        && then.flip.is_none()
    {
        let body = signed_body.map_or_else(String::new, |body| format!(" {body}"));
        return Ok(format!("request {method} {signed_url}{body}"));
    }
    let url = url(then.query.as_ref().unwrap_or(&step.query))?;
    let sent_body = body(&then.body)?.or_else(|| signed_body.clone());
    let mut headers = format!(
        " -H {}",
        quoted(&format!("X-Project-Id: {}", values.fill("<project_id>")?))
    );
    if signed_body.is_some() {
        headers += " -H 'Content-Type: application/json'";
    }
    let data = |flag, body: Option<String>| {
        body.map_or_else(String::new, |body| format!(" {flag} {body}"))
    };
    let send = format!(
        "curl -isS -X {method} --path-as-is{} {url}",
        data("--data-raw", sent_body)
    );
    if signing.key == Key::None {
        return Ok(format!("{send}{headers}"));
    }
    let key = match signing.key {
        Key::Own => "",
        Key::EmptySecret => {
            return Ok(format!(
                "# with an unknown access key, and a signature with an empty secret key: {send}{headers}"
            ));
        }
        _ => "HUAWEICLOUD_SDK_AK=unknown HUAWEICLOUD_SDK_SK=unknown ",
    };
    let at = match signing.seconds {
        0 => String::new(),
        seconds => format!(r#" --date "$(date -u -d '{seconds} seconds' +%Y%m%dT%H%M%SZ)""#),
    };
    let mut list = String::new();
    if let Some(names) = &signing.headers {
        let empty = step.headers.keys().map(|name| format!(" -H '{name}:'"));
        headers.extend(empty);
        list = format!(" --signed-headers {}", quoted(&names.join(";")));
    }
    let mut change = String::new();
    if step.headers.contains_key(ABSENT) {
        change = format!(" | grep -v '^{ABSENT}:'");
    } else if let Some((header, after, digit)) = &then.flip {
        change = format!(
            r" | sed -E '/^{header}/{{s/({after}.{{{digit}}})[^0]/\10/;t;s/({after}.{{{digit}}})0/\11/}}'"
        );
    } else if let Some(count) = then.digits {
        change = format!(r" | sed -E '/^authorization/s/(Signature=.{{{count}}}).*/\1/'");
    }
    let data = data("-d", signed_body);
    Ok(format!(
        "{key}signed -X {method}{headers}{data} {signed_url}{list}{at}{change} | {send} -H @-"
    ))
}

/// A body as an argument.
fn argument(text: &str, values: &Values) -> Result<String> {
    // A long body is padded by the command, so that people can read it.
    let Some((start, (length, rest))) = text
        .split_once("< *")
        .and_then(|(start, rest)| Some((start, rest.split_once('>')?)))
    else {
        return Ok(quoted(&values.fill(text)?));
    };
    let (start, rest) = (quoted(&values.fill(start)?), quoted(rest));
    Ok(format!(r#""$(printf '%s%{length}s%s' {start} '' {rest})""#))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Target;

    fn command(step: &str) -> String {
        let values = Values::new(&Target::new("p", "i", "t"), "h");
        let step: Step = toml::from_str(step).unwrap();
        shell(&step, &values, "http://h:1").unwrap()
    }

    #[test]
    fn each_change_of_a_request_is_in_its_command() {
        let step = |text: &str| {
            command(&format!(
                "path = '/x'\nexpect = {{ status = '200' }}\nbody = '{{}}'\n{text}"
            ))
        };
        let headers = "-H 'X-Project-Id: p' -H 'Content-Type: application/json'";
        let signed = format!("signed -X POST {headers} -d '{{}}' 'http://h:1/x'");
        let sent = "curl -isS -X POST --path-as-is --data-raw '{}' 'http://h:1/x'";
        for (text, wanted) in [
            ("", "request POST 'http://h:1/x' '{}'".to_owned()),
            (
                "query = 'a=1'",
                "request POST 'http://h:1/x?a=1' '{}'".to_owned(),
            ),
            ("signing = { key = 'none' }", format!("{sent} {headers}")),
            (
                "signing = { key = 'unknown' }",
                format!(
                    "HUAWEICLOUD_SDK_AK=unknown HUAWEICLOUD_SDK_SK=unknown {signed} | {sent} -H @-"
                ),
            ),
            (
                "signing = { seconds = -960 }",
                format!(
                    r#"{signed} --date "$(date -u -d '-960 seconds' +%Y%m%dT%H%M%SZ)" | {sent} -H @-"#
                ),
            ),
            (
                "then = { query = 'a=1' }",
                format!("{signed} | {} -H @-", sent.replace("/x", "/x?a=1")),
            ),
            (
                r#"then = { body = "it's" }"#,
                format!("{signed} | {} -H @-", sent.replace("{}", r"it'\''s")),
            ),
            (
                "then = { digits = 8 }",
                format!(
                    r"{signed} | sed -E '/^authorization/s/(Signature=.{{8}}).*/\1/' | {sent} -H @-"
                ),
            ),
            (
                "then = { flip = ['authorization', 'Signature=', 60] }",
                format!(
                    r"{signed} | sed -E '/^authorization/{{s/(Signature=.{{60}})[^0]/\10/;t;s/(Signature=.{{60}})0/\11/}}' | {sent} -H @-"
                ),
            ),
        ] {
            assert_eq!(step(text), wanted, "{text}");
        }
        let long = command("path = '/x'\nexpect = { status = '200' }\nbody = '{}< *70000>'");
        assert_eq!(
            long,
            r#"request POST 'http://h:1/x' "$(printf '%s%70000s%s' '{}' '' '')""#
        );
    }
}
