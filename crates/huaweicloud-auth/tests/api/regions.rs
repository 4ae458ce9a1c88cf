//! Regions and their endpoints.

use std::{fs, path::Path};

use crate::support::layers;
use huaweicloud_auth::{
    EndpointResolver, Environment, ProviderError, ProviderErrorKind as Kind, Region,
};

/// Uses no home directory by default.
fn endpoints(
    variables: &[(&str, &str)],
    home: Option<&Path>,
    service: &str,
    region: &str,
) -> Result<Vec<String>, ProviderError> {
    let mut resolver = EndpointResolver::new(variables.iter().copied().collect::<Environment>());
    if let Some(home) = home {
        resolver = resolver.with_home(home);
    }
    resolver.endpoints(service, &Region::new(region)?)
}

fn home_with(regions: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".huaweicloud")).unwrap();
    fs::write(home.path().join(".huaweicloud/regions.yaml"), regions).unwrap();
    home
}

/// The list of the official SDKs.
#[test]
fn the_known_regions_have_kafka_endpoints() {
    let known = "cn-north-1 cn-north-2 cn-north-4 cn-north-9 cn-north-11 cn-north-12 cn-east-2 cn-east-3 cn-east-4 \
        cn-east-5 cn-south-1 cn-south-2 cn-south-4 cn-southwest-2 cn-southwest-3 ap-southeast-1 ap-southeast-2 \
        ap-southeast-3 ap-southeast-4 ap-southeast-5 af-south-1 af-north-1 ru-northwest-2 ru-moscow-1 la-south-2 \
        la-north-2 sa-brazil-1 na-mexico-1 tr-west-1 ae-ad-1 me-east-1 eu-west-0 my-kualalumpur-1";
    for id in known.split_whitespace() {
        let expected = format!("https://dms.{id}.myhuaweicloud.com");
        assert_eq!(endpoints(&[], None, "Kafka", id).unwrap(), [expected]);
    }
    let exception = endpoints(&[], None, "kafka", "eu-west-101").unwrap();
    assert_eq!(exception, ["https://dms.eu-west-101.myhuaweicloud.eu"]);
    assert_eq!(Region::KNOWN.len(), known.split_whitespace().count() + 1);
    assert_eq!(Region::KNOWN.len(), 34);
}

#[test]
fn the_environment_precedes_the_file_and_the_file_the_known_regions() {
    let home = home_with(
        "KAFKA:\n- id: cn-north-4\n  endpoint: https://file.example.com\n- id: my-own-1\n  endpoints: [one.example.com, 'https://two.example.com']\n  endpoint: three.example.com\nother:\n- id: cn-north-4\n  endpoint: other.example.com\n",
    );
    let variable = (
        "HUAWEICLOUD_SDK_REGION_KAFKA_CN_NORTH_4",
        "env.example.com, http://127.0.0.1:8080,",
    );
    for (variables, service, region, expected) in [
        (
            &[variable][..],
            "kafka",
            "cn-north-4",
            &["https://env.example.com", "http://127.0.0.1:8080"][..],
        ),
        (&[], "kafka", "cn-north-4", &["https://file.example.com"]),
        (
            &[],
            "kafka",
            "cn-north-1",
            &["https://dms.cn-north-1.myhuaweicloud.com"],
        ),
        (
            &[],
            "kafka",
            "my-own-1",
            &[
                "https://one.example.com",
                "https://two.example.com",
                "https://three.example.com",
            ],
        ),
        (&[], "Other", "cn-north-4", &["https://other.example.com"]),
    ] {
        let found = endpoints(variables, Some(home.path()), service, region).unwrap();
        assert_eq!(found, expected, "{service} {region}");
    }
}

#[test]
fn the_environment_can_name_the_file() {
    let home = home_with("kafka: [{id: cn-north-4, endpoint: wrong.example.com}]");
    let elsewhere = home.path().join("elsewhere.yaml");
    fs::write(
        &elsewhere,
        "kafka: [{id: cn-north-4, endpoint: right.example.com}]",
    )
    .unwrap();
    let variable = [("HUAWEICLOUD_SDK_REGIONS_FILE", elsewhere.to_str().unwrap())];
    let found = endpoints(&variable, Some(home.path()), "kafka", "cn-north-4").unwrap();
    assert_eq!(found, ["https://right.example.com"]);
    fs::remove_file(&elsewhere).unwrap();
    let error = endpoints(&variable, Some(home.path()), "kafka", "cn-north-4").unwrap_err();
    assert_eq!(error.kind(), Kind::Unreadable);
    assert!(
        error.to_string().contains("HUAWEICLOUD_SDK_REGIONS_FILE"),
        "{error}"
    );
}

#[test]
fn the_error_names_an_invalid_configuration() {
    for (file, part) in [
        ("kafka: [", "regions.yaml"),
        ("- id: x", "regions.yaml"),
        ("kafka: {id: x}", "regions.yaml"),
        ("kafka: [{endpoint: x}]", "missing field `id`"),
        (
            "kafka: [{id: cn-north-4, endpoint: 'https://a/b'}]",
            "https://a/b",
        ),
    ] {
        let home = home_with(file);
        let error = endpoints(&[], Some(home.path()), "kafka", "cn-north-4").unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{file}");
        assert!(layers(&error).join(": ").contains(part), "{error:?}");
    }
    for value in [",", "https://user@example.com", "ftp://example.com"] {
        let variable = "HUAWEICLOUD_SDK_REGION_KAFKA_CN_NORTH_4";
        let error = endpoints(&[(variable, value)], None, "kafka", "cn-north-4").unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{value}");
        assert!(error.to_string().starts_with(variable), "{error}");
    }
}

#[test]
fn an_empty_file_counts_as_absent() {
    for file in ["", "# kafka:\n", "---\n", "{}", "kafka:\n", "other: []"] {
        let home = home_with(file);
        let found = endpoints(&[], Some(home.path()), "kafka", "cn-north-4").unwrap();
        assert_eq!(
            found,
            ["https://dms.cn-north-4.myhuaweicloud.com"],
            "{file:?}"
        );
    }
}

/// Nested lists of ten references, which would not fit into memory.
#[test]
fn unused_references_are_not_expanded() {
    let mut entry = "id: cn-north-4, endpoint: x, a: &a [1]".to_owned();
    for (name, previous) in ('b'..='z').zip('a'..='y') {
        let references = vec![format!("*{previous}"); 10].join(", ");
        entry = format!("{entry}, {name}: &{name} [{references}]");
    }
    let home = home_with(&format!("kafka: [{{{entry}}}]"));
    let found = endpoints(&[], Some(home.path()), "kafka", "cn-north-4").unwrap();
    assert_eq!(found, ["https://x"]);
}

#[test]
fn an_unknown_region_suggests_similar_ones() {
    for (id, first) in [
        ("ap-southest-1", "ap-southeast-1"),
        ("ap-southeast1", "ap-southeast-1"),
        ("cn-noth-4", "cn-north-4"),
        ("eu-west-1", "eu-west-0"),
    ] {
        let error = endpoints(&[], None, "kafka", id).unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(error.candidates()[0], first, "{error}");
        assert!(error.candidates().len() <= 3);
        let message = error.to_string();
        assert!(message.contains(id) && message.contains(first), "{message}");
        assert!(
            message.contains("HUAWEICLOUD_SDK_REGION_KAFKA_"),
            "{message}"
        );
    }
    let error = endpoints(&[], None, "kafka", "mars").unwrap_err();
    assert!(error.candidates().is_empty());
    let error = endpoints(&[], None, "obs", "cn-north-4").unwrap_err();
    assert_eq!(
        (error.kind(), error.candidates()),
        (Kind::NotFound, &[][..])
    );
}

#[test]
fn invalid_region_ids() {
    for id in ["", "CN-NORTH-4", "cn_north_4", "cn-north-4 ", "a/b", "é"] {
        let error = Region::new(id).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{id:?}");
    }
    let error = "CN-NORTH-4".parse::<Region>().unwrap_err();
    assert_eq!(error.candidates()[0], Region::CN_NORTH_4.id());
}
