//! Profiles, and the order of flags, variables and profile.

use std::fs;
use std::process::Command;

use crate::support::{Folder, Run as _, Served, assert_stderr, dms_kafka, endpoint_of_nothing};

const DELETE: &str = "delete --topic orders --partition 0:1 --yes";

/// The command with a line of arguments, and this file of profiles.
pub(crate) fn with_profiles(folder: &Folder, profiles: &str, line: &str) -> Command {
    let path = folder.path("dms-kafka");
    fs::create_dir_all(&path).unwrap();
    fs::write(format!("{path}/config.toml"), profiles).unwrap();
    let mut command = dms_kafka(line);
    command.env("XDG_CONFIG_HOME", folder.path(""));
    command
}

/// Profiles `here`, and `prod`, which is protected.
fn profiles(served: &Served) -> String {
    let table = format!(
        "endpoint = '{}'\nproject_id = '{}'\ninstance_id = '{}'\n",
        served.text("endpoint"),
        served.text("project_id"),
        served.text("instance_id")
    );
    format!("[profile.here]\n{table}\n[profile.prod]\n{table}protected = true\n")
}

pub(crate) fn with_key(mut command: Command, served: &Served) -> Command {
    command
        .env("HUAWEICLOUD_SDK_AK", served.text("access_key"))
        .env("HUAWEICLOUD_SDK_SK", served.text("secret_key"));
    command
}

#[test]
fn a_profile_has_the_settings_that_flags_and_variables_do_not_set() {
    let (folder, served) = (Folder::new(""), Served::start());
    let run = |line: &str| with_key(with_profiles(&folder, &profiles(&served), line), &served);
    let nothing = endpoint_of_nothing();
    let output = run(&format!("{DELETE} --profile here")).ends_with(0);
    for words in [
        "profile     here ",
        "from --profile\n",
        &format!("endpoint    {}", served.text("endpoint")),
        "from profile here\n",
        "from environment\n",
    ] {
        assert_stderr(&output, words);
    }
    let of_variable = || {
        let mut command = run(DELETE);
        command.env("DMS_KAFKA_PROFILE", "here");
        command
    };
    assert_stderr(&of_variable().ends_with(0), "from DMS_KAFKA_PROFILE\n");
    // What a flag names is meant: the environment may be that of another service.
    let named = run(&format!("{DELETE} --profile here"))
        .env("DMS_KAFKA_ENDPOINT", &nothing)
        .env("DMS_KAFKA_INSTANCE_ID", "another")
        .ends_with(0);
    assert_stderr(&named, &format!("endpoint    {}", served.text("endpoint")));
    // A variable overrides a profile that a variable names, and a flag the variable.
    let refused = of_variable()
        .env("DMS_KAFKA_ENDPOINT", &nothing)
        .ends_with(3);
    assert_stderr(&refused, nothing.split_once("://").unwrap().1);
    let output = of_variable()
        .env("DMS_KAFKA_ENDPOINT", &nothing)
        .args(["--endpoint", served.text("endpoint")])
        .ends_with(0);
    assert_stderr(&output, "from --endpoint\n");
    // A region on the command line overrides the endpoint of the profile.
    let output = of_variable()
        .args(["--region", "my-own-1"])
        .env(
            "HUAWEICLOUD_SDK_REGION_KAFKA_MY_OWN_1",
            served.text("endpoint"),
        )
        .ends_with(0);
    assert_stderr(&output, "from the region my-own-1 (--region)\n");
}

#[test]
fn a_protected_profile_is_confirmed_by_its_name() {
    let (folder, served) = (Folder::new(""), Served::start());
    let offsets = Folder::new("{\"topic\":\"orders\",\"partition\":0,\"offset\":2}\n");
    let purge = format!("purge --yes --offsets-file {}", offsets.offsets.display());
    for (profile, more, code, words) in [
        (
            "prod",
            "",
            2,
            "the profile prod is protected: add --confirm prod",
        ),
        (
            "prod",
            "--confirm here",
            2,
            "--confirm here: the profile is prod",
        ),
        ("prod", "--confirm prod", 0, "prod (protected)"),
        ("here", "--confirm prod", 2, "the profile is here"),
        ("here", "--confirm here", 0, ""),
        ("here", "", 0, ""),
        ("prod", "--dry-run", 0, "was sent"),
    ] {
        for line in [DELETE, &purge] {
            let line = format!("{line} --profile {profile} {more}");
            let mut command = with_profiles(&folder, &profiles(&served), line.trim());
            let output = with_key(command, &served).ends_with(code);
            assert_stderr(&output, words);
            command = dms_kafka(DELETE);
            let other = command
                .args(["--embedded", "--confirm", "prod"])
                .ends_with(2);
            assert_stderr(&other, "no profile is used");
        }
    }
}

/// The key of the section is the only one: without it, the machine would be asked.
#[test]
fn the_credentials_of_a_profile_are_a_section_of_the_credentials_file() {
    let (folder, served) = (Folder::new(""), Served::start());
    let keys = format!(
        "[basic]\nak = wrong\nsk = wrong\n[prod]\nak = {}\nsk = {}\n",
        served.text("access_key"),
        served.text("secret_key")
    );
    let file = folder.path("credentials");
    fs::write(&file, keys).unwrap();
    for (section, code, words) in [
        ("prod", 0, "from profile\n"),
        ("basic", 3, "APIGW.0301"),
        ("prd", 2, "has no section [prd]"),
    ] {
        let profiles = profiles(&served).replace("[profile.prod]", "[profile.other]");
        let profiles = profiles.replacen('\n', &format!("\ncredentials = '{section}'\n"), 1);
        let output = with_profiles(&folder, &profiles, &format!("{DELETE} --profile here"))
            .env("HUAWEICLOUD_SDK_CREDENTIALS_FILE", &file)
            .ends_with(code);
        assert_stderr(&output, words);
    }
    // A key in the environment belongs to another person, or to another account.
    let profiles = profiles(&served).replacen('\n', "\ncredentials = 'prod'\n", 1);
    for (flag, variable, code, words) in [
        (" --profile here", "", 0, "from profile\n"),
        ("", "here", 3, "APIGW.0301"),
    ] {
        let output = with_profiles(&folder, &profiles, &format!("{DELETE}{flag}"))
            .env("HUAWEICLOUD_SDK_CREDENTIALS_FILE", &file)
            .env("HUAWEICLOUD_SDK_AK", "OTHER")
            .env("HUAWEICLOUD_SDK_SK", "other")
            .env("DMS_KAFKA_PROFILE", variable)
            .ends_with(code);
        assert_stderr(&output, words);
    }
}

#[test]
fn a_mistake_in_the_file_is_one_error_with_line_and_fix() {
    let folder = Folder::new("");
    let file = "dms-kafka/config.toml";
    for (line, expected) in [
        (
            "regoin = 'x'",
            "unknown key \"regoin\": did you mean \"region\"?",
        ),
        (
            "Region = 'x'",
            "unknown key \"Region\": did you mean \"region\"?",
        ),
        (
            "instance = 'x'",
            "unknown key \"instance\": did you mean \"instance_id\"?",
        ),
        (
            "colour = 'the-secret'",
            "unknown key \"colour\": the keys are endpoint, region, project_id, instance_id, credentials, ca_cert, kafka, \
             kafka_config, protected",
        ),
        (
            "[profile.prod.more]",
            "unknown key \"more\": the keys are endpoint",
        ),
        ("'a\\u001b' = 1", "unknown key"),
        ("credentials = ['AK', 'the-secret']", "expected a string"),
        (
            "credentials = { ak = 'AK', sk = 'the-secret' }",
            "expected a string",
        ),
        ("endpoint = 'https://u:the-secret@h'", "endpoint"),
        ("region = ap-southeast-1", "string values must be quoted"),
        ("region = 'AP Southeast'", "region"),
        ("endpoint = 'ftp://x'", "http"),
        ("instance_id = 'a/b'", "\"a/b\""),
        ("project_id = ''", "project"),
        ("protected = 'yes'", "expected a boolean"),
        ("protected = true\nprotected = true", "duplicate key"),
        (
            "kafka = 'broker 1'",
            "expected HOST:PORT,..., such as broker-1:9092",
        ),
        ("kafka = 'http://broker'", "expected HOST:PORT"),
        (
            "sk = 'the-secret'",
            "keys do not belong in this file: write them to ~/.huaweicloud",
        ),
        ("access_key = 'AK'", "such as credentials = \"basic\""),
        (
            "security_token = 'the-secret'",
            "\"security_token\": keys do not belong",
        ),
        (
            "password = 'the-secret'",
            "\"password\": keys do not belong",
        ),
        (
            "HUAWEICLOUD_SDK_SK = 'the-secret'",
            "\"HUAWEICLOUD_SDK_SK\": keys do not belong",
        ),
        ("sk = 7353", "\"sk\": keys do not belong"),
        ("'sasl.password' = 'the-secret'", "keys do not belong"),
    ] {
        let profiles = format!("# Profiles\n[profile.prod]\n{line}\n");
        let delete = format!("{DELETE} --output json --profile prod");
        let output = with_profiles(&folder, &profiles, &delete).ends_with(2);
        assert_stderr(&output, expected.replace('"', "\\\"").as_str());
        let at = if line.contains('\n') {
            "line 4"
        } else {
            "line 3"
        };
        assert_stderr(&output, &format!("{file}, {at}: "));
        assert!(
            !crate::support::stderr(&output).contains("the-secret"),
            "{line}"
        );
        assert_eq!(crate::support::stderr(&output).lines().count(), 1, "{line}");
    }
}

#[test]
fn a_missing_profile_or_setting_and_settings_that_exclude_each_other() {
    let folder = Folder::new("");
    for (profiles, code, expected) in [
        ("", 2, "has no profile \"prod\""),
        (
            "[profile.test]\n[profile.dev]",
            2,
            "has no profile \"prod\"; it has \"dev\", \"test\"",
        ),
        (
            "[prod]",
            2,
            "line 1: unknown field `prod`, expected `profile`",
        ),
        (
            "[profile.prod]\nkafka='b:1'\nregion='r'",
            2,
            "line 2: kafka cannot be used with region",
        ),
        ("[profile.prod]", 2, "the endpoint is missing"),
    ] {
        let output = with_profiles(&folder, profiles, &format!("{DELETE} --profile prod"));
        assert_stderr(&{ output }.ends_with(code), expected);
    }
}

#[test]
fn a_file_of_profiles_that_cannot_be_read() {
    let folder = Folder::new("");
    let run = |home: &str| {
        let mut command = dms_kafka(&format!("{DELETE} --profile prod --output json"));
        command.env("XDG_CONFIG_HOME", folder.path(home));
        command
    };
    assert_stderr(
        &run("none").ends_with(2),
        "write [profile.prod] to this file",
    );
    fs::create_dir_all(folder.path("folder/dms-kafka/config.toml")).unwrap();
    assert_stderr(&run("folder").ends_with(5), "\"kind\":\"input\"");
    fs::create_dir_all(folder.path("bytes/dms-kafka")).unwrap();
    fs::write(folder.path("bytes/dms-kafka/config.toml"), [0xff]).unwrap();
    assert_stderr(&run("bytes").ends_with(5), "UTF-8");
    let unknown = dms_kafka(&format!("{DELETE} --profile prod")).ends_with(2);
    assert_stderr(&unknown, "the home directory is not known");
    // Without a profile the file is not read.
    dms_kafka(&format!("{DELETE} --embedded"))
        .env("XDG_CONFIG_HOME", folder.path("bytes"))
        .ends_with(0);
}
