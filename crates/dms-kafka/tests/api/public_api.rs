//! Rules for `public-api.txt`, which `cargo xtask ci` compares with the code.

#[test]
fn the_public_api_has_no_generated_type_and_one_of_reqwest() {
    let listing = include_str!("../../public-api.txt");
    let with =
        |word: &str| -> Vec<&str> { listing.lines().filter(|line| line.contains(word)).collect() };
    assert!(with("dms_kafka::Client").len() > 5);
    for word in ["progenitor", "dms_kafka_client", "internals"] {
        assert!(with(word).is_empty(), "{:?}", with(word));
    }
    let [reqwest] = with("reqwest::")[..] else {
        unreachable!("{:?}", with("reqwest::"));
    };
    assert!(
        reqwest.contains("ClientBuilder::with_http_client"),
        "{reqwest}"
    );
}
