//! Which requests may be sent without `--destructive`.

use http::Method;

use crate::wire::Request;

/// No topic has this many partitions.
pub(super) const NO_PARTITION: i64 = 2_147_483_000;
#[expect(clippy::cast_precision_loss, reason = "a number of 32 bits")]
const MISSING_PARTITION: f64 = NO_PARTITION as f64;

/// Whether a request cannot delete a record unless the server has two faults at once.
///
/// A request that only reads cannot. A deletion cannot when every number in its body is 0 or at least 2,147,483,000, one
/// of them is the latter, and no partition is 0: then it names no existing partition, so a server would first have to
/// use another partition, and then use a wrong offset or ignore the offset.
pub(super) fn is_harmless(request: &Request) -> bool {
    if request.method == Method::GET {
        return request.body.is_empty();
    }
    // A server may read UTF-16.
    let body = &String::from_utf8_lossy(&request.body).replace('\0', "");
    let numbers = numbers(body);
    let far = |number: &f64| number.abs() >= MISSING_PARTITION;
    // A server may compare paths without case.
    request
        .path
        .to_ascii_lowercase()
        .contains("/messages/delete")
        && numbers.iter().any(far)
        && numbers.iter().all(|number| *number == 0.0 || far(number))
        && !names_partition_zero(body)
}

/// Every number in the text, in quotes or not.
fn numbers(text: &str) -> Vec<f64> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    let mut numbers = Vec::new();
    for word in text.split(|c: char| !is_part(c)) {
        if !word.contains(|c: char| c.is_ascii_digit()) {
            continue;
        }
        // A faulty server may read an invalid number as another one, such as 1.
        numbers.push(word.parse().unwrap_or(1.0));
    }
    numbers
}

fn names_partition_zero(body: &str) -> bool {
    let spaceless: String = body.to_ascii_lowercase().split_whitespace().collect();
    let after = spaceless.split("partition").skip(1);
    after
        .map(|text| text.trim_start_matches(['"', '\'', ':', '-', '+']))
        .any(|text| text.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn request(method: Method, path: &str, body: &str) -> Request {
        Request {
            method,
            path: path.to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }

    #[test]
    fn only_bodies_that_name_no_partition_that_exists_are_harmless() {
        let path = "/v2/p/kafka/instances/i/topics/t/messages/delete";
        let missing = r#"{"partition":2147483647,"offset":0}"#;
        for (rows, harmless) in [
            (missing, true),
            (
                r#"{"partition":2147483647,"offset":9223372036854775808}"#,
                true,
            ),
            (r#"{"partition":2147483647,"offset":true}"#, true),
            (r#"{"offset":0},{"partition":2147483647,"offset":0}"#, true),
            (r#"{"partition":2147483647,"offset":1}"#, false),
            (r#"{"partition":2147483647,"offset":-1}"#, false),
            (
                r#"{"partition":0,"offset":0},{"partition":2147483647,"offset":0}"#,
                false,
            ),
            (r#"{"partition": "0", "offset":2147483647}"#, false),
            (
                r#"{"partition":3,"offset":0},{"partition":2147483647,"offset":0}"#,
                false,
            ),
            (r#"{"offset":0}"#, false),
            ("", false),
        ] {
            let body = format!(r#"{{"partitions":[{rows}]}}"#);
            let request = request(Method::POST, path, &body);
            assert_eq!(is_harmless(&request), harmless, "{body}");
        }
        for body in ["{}", ""] {
            assert!(!is_harmless(&request(Method::POST, path, body)), "{body}");
        }
        let topic = path.trim_end_matches("/messages/delete");
        let body = format!(r#"{{"partitions":[{missing}]}}"#);
        assert!(!is_harmless(&request(Method::DELETE, topic, &body)));
        assert!(is_harmless(&request(Method::GET, path, "")));
    }
}
