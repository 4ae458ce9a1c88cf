//! What the committed listing of the public API may name. `cargo xtask ci` compares it with the code.

#[test]
fn no_type_of_the_generator_and_only_one_of_reqwest_is_public() {
    let listing = include_str!("../public-api.txt");
    let with =
        |word: &str| -> Vec<&str> { listing.lines().filter(|line| line.contains(word)).collect() };
    assert!(with("dms_kafka::Client").len() > 5);
    for word in ["progenitor", "dms_kafka_client", "internals"] {
        assert!(with(word).is_empty(), "{:?}", with(word));
    }
    let [brought] = with("reqwest::")[..] else {
        unreachable!("{:?}", with("reqwest::"));
    };
    assert!(
        brought.contains("ClientBuilder::with_http_client"),
        "{brought}"
    );
}
