//! The URL of a request.

use reqwest::Url;

/// Returns the base URL with an encoded path at its end. Only the path is parsed, which halves the cost of a URL.
pub(crate) fn request_url(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    let stem = base.path().trim_end_matches('/');
    url.set_path(&[&[stem], path].concat().concat());
    url
}

#[cfg(test)]
mod tests {
    use progenitor_client::encode_path;

    use super::*;

    #[test]
    fn the_url_is_that_of_the_whole_text() {
        let bases = [
            "http://127.0.0.1:8080",
            "http://[::1]:80",
            "https://dms.ap-southeast-1.myhuaweicloud.com",
            "https://EXAMPLE.com:443/Stem%2f/a b",
            "https://user:password@bücher.example:1/..",
        ];
        let segments = [
            "orders",
            "",
            ".",
            "..",
            "%2e",
            "%2E%2e",
            ".%2e",
            "...",
            "a b",
            " ",
            "a/b",
            "/",
            "\\",
            "a\\..\\b",
            "тема",
            "a+b:c@d",
            "a?b#c",
            "100%",
            "%zz",
            "$&",
            "\t\n\r",
            "\0",
            "\u{7f}",
            "\"<>`{}|^[]",
            "😀",
            ";=,!'()*~",
        ];
        for base in bases {
            for segment in segments {
                let path = format!("/v2/{}/topics", encode_path(segment));
                let whole = Url::parse(&format!("{base}{path}")).unwrap();
                let joined = request_url(
                    &base.parse().unwrap(),
                    &["/v2/", &encode_path(segment), "/topics"],
                );
                assert_eq!(joined, whole, "{base} {segment:?}");
            }
        }
    }

    #[test]
    fn a_slash_at_the_end_of_the_base_is_not_doubled() {
        for (base, url) in [
            ("http://a", "http://a/v2"),
            ("http://a/", "http://a/v2"),
            ("http://a/b", "http://a/b/v2"),
            ("http://a/b/", "http://a/b/v2"),
        ] {
            assert_eq!(request_url(&base.parse().unwrap(), &["/v2"]).as_str(), url);
        }
    }
}
