//! Signs a request to another service of the cloud, and verifies it as a server does:
//! `cargo run -p huaweicloud-auth --example sign_request`
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, Method, header};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{self, Payload, RequestTarget};

fn main() -> Result<(), Box<dyn Error>> {
    // In a program: ChainProvider, which asks the sources that the vendor's SDKs know.
    let credentials = Credentials::new("EXAMPLEACCESSKEY", "a-secret-key")?;
    let body = br#"{"vpc":{"name":"test","cidr":"192.168.0.0/16"}}"#;
    let target = RequestTarget {
        method: &Method::POST,
        host: "vpc.ap-southeast-1.myhuaweicloud.com",
        path: "/v1/0123456789abcdef0123456789abcdef/vpcs",
        query: "",
    };
    // Headers that the signature covers must be there before.
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
    let now = SystemTime::now();
    signing::authorize(
        &credentials,
        target,
        &mut headers,
        Payload::Bytes(body),
        now,
    )?;

    // Send the method, path, headers and body with any HTTP client. The values are marked as secret for Debug.
    println!("POST https://{}{}", target.host, target.path);
    for name in headers.keys() {
        println!("{name}: {:?}", headers[name]);
    }
    Ok(())
}
