//! Connections that fail or take long: what is said, and when.

use std::fs;
use std::io::Read as _;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

use crate::plan::serve_config;
use crate::support::{
    Folder, Run as _, Served, assert_stderr, at, dms_kafka, ended_with, endpoint_of_nothing,
    listener, stderr, words,
};

/// A gateway with TLS and a certificate for `localhost`, and the path of the certificate.
pub(crate) fn with_tls(
    folder: &Folder,
    change: impl FnOnce(&mut CertificateParams),
) -> (Served, String) {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = folder.path("certificate.pem");
    fs::write(&certificate, params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(folder.path("key.pem"), key.serialize_pem()).unwrap();
    let config = format!(
        "listen = '127.0.0.1:0'\ntls = {{ certificate_chain_file = '{certificate}', private_key_file = '{}' }}\n\
         access_key = [{{ access_key = 'AK', secret_key = {{ env = 'GATEWAY_SK' }} }}]\n\
         instance = [{{ id = 'i', project_id = 'p', \
         memory.topics = [{{ name = 'orders', partitions = 1, records = 10 }}] }}]\n",
        folder.path("key.pem")
    );
    fs::write(folder.path("gateway.toml"), config).unwrap();
    let serve = format!("serve --config {}", folder.path("gateway.toml"));
    (
        Served::ready(dms_kafka(&serve).env("GATEWAY_SK", "SK")),
        certificate,
    )
}

fn address(endpoint: &str) -> &str {
    endpoint.split_once("://").unwrap().1
}

const DELETE: &str = "delete --topic orders --partition 0:5 --yes";

#[test]
fn a_failed_connection_names_the_address_in_text_and_json() {
    let endpoint = endpoint_of_nothing();
    for form in ["table", "json"] {
        let output = at(&endpoint, DELETE).args(["-o", form]).ends_with(3);
        assert_stderr(&output, &format!("({})", address(&endpoint)));
    }
}

/// The variable contains a password.
#[test]
fn a_proxy_that_cannot_be_reached_is_named_by_its_variable() {
    let proxy = endpoint_of_nothing().replace("://", "://user:the-password@");
    let output = at("https://192.0.2.1", DELETE)
        .env("HTTPS_PROXY", proxy)
        .ends_with(3);
    assert_stderr(&output, "HTTPS_PROXY sets a proxy");
    let printed = stderr(&output);
    assert!(!printed.contains("the-password"), "{printed}");
}

#[test]
fn a_failed_handshake_is_explained_in_one_line() {
    let plain = Served::start();
    let of_plain = address(plain.text("endpoint"));
    let folder = Folder::new("");
    let (served, trusted) = with_tls(&folder, |_| ());
    let old_folder = Folder::new("");
    let (old, of_old) = with_tls(&old_folder, |params| {
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    let ca_folder = Folder::new("");
    let (ca, of_ca) = with_tls(&ca_folder, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let localhost = |served: &Served| served.text("endpoint").replace("127.0.0.1", "localhost");
    for (endpoint, more, code, advice) in [
        (
            format!("https://{of_plain}"),
            "",
            3,
            "the server did not reply with TLS",
        ),
        (
            localhost(&served),
            "",
            3,
            "not signed by a trusted CA: add the certificate of the CA with --ca-cert",
        ),
        (
            served.text("endpoint").to_owned(),
            &format!(" --ca-cert {trusted}"),
            3,
            "for another host",
        ),
        (
            localhost(&old),
            &format!(" --ca-cert {of_old}"),
            3,
            "not valid at this time",
        ),
        (
            localhost(&ca),
            &format!(" --ca-cert {of_ca}"),
            3,
            "must not be that of a CA itself",
        ),
        // A request on a connection that breaks has an unknown outcome.
        (
            served.text("endpoint").replace("https", "http"),
            "",
            4,
            "use https://",
        ),
    ] {
        let output = at(&endpoint, DELETE)
            .args(words(&format!("-o json{more}")))
            .ends_with(code);
        let printed = stderr(&output);
        assert!(printed.contains(advice), "{endpoint} {more}: {printed}");
        assert!(
            printed.contains(address(&endpoint)),
            "{endpoint} {more}: {printed}"
        );
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }
}

/// Each response comes before the timeout, and all of them together do not.
#[test]
fn the_timeout_ends_a_plan_of_many_calls() {
    let folder = Folder::new("");
    let topics = (0..45).map(|n| format!("{{ name = 't{n}', partitions = 1, records = 9 }},"));
    let commits = "[{ topic = 't1', partition = 0, offset = 5 }]";
    let groups = (0..45).map(|n| format!("{{ name = 'g{n}', commits = {commits} }},"));
    let config = format!(
        "listen = '127.0.0.1:0'\naudit.file = '{}'\n\
         access_key = [{{ access_key = 'AK', secret_key = {{ env = 'GATEWAY_SK' }} }}]\n\
         faults.rule = [{{ fault = {{ delay_seconds = 0.3 }} }}]\n\
         [[instance]]\nid = 'i'\nproject_id = 'p'\n\
         memory.topics = [{}]\nmemory.groups = [{}]\n",
        folder.path("audit"),
        topics.collect::<String>(),
        groups.collect::<String>()
    );
    let gateway = serve_config(&folder, &config);
    let files = format!("--out {} --overwrite", folder.path("plan.json"));
    let lines = [
        format!("plan --topic t1 --up-to-end {files}"),
        format!(
            "plan --topic t* --up-to-end --offsets-file {}",
            folder.path("all.json")
        ),
        "delete --topic t1 --up-to-end --yes --output json".to_owned(),
        "delete --topic t1 --partition 0:5 --yes --refuse-unread-loss".to_owned(),
        "delete --topic t1 --everything 0 --yes".to_owned(),
        "topics t*".to_owned(),
    ];
    let start =
        |line: &String| at(gateway.text("endpoint"), &format!("{line} --timeout 2")).start();
    let processes: Vec<_> = lines.iter().map(start).collect();
    for (process, line) in processes.into_iter().zip(lines) {
        let output = ended_with(process, 3);
        let printed = stderr(&output);
        // On a busy machine, a single response may come too late.
        let of_all = "more than the 2 s of --timeout";
        let is_late = [of_all, "no response was received"]
            .iter()
            .any(|words| printed.contains(words));
        assert!(is_late, "{line}: {printed}");
        assert_eq!(stderr(&output).lines().count(), 1, "{line}");
        if line.contains("json") && line.starts_with("delete") {
            assert_stderr(&output, r#""kind":"timeout""#);
            assert_stderr(&output, r#""outcome":"not_applied""#);
        }
    }
    assert!(!folder.read("audit").contains("intent"));
    assert_eq!(folder.files(), ["audit", "gateway.toml", "offsets"]);
}

/// The service accepts connections and does not respond.
#[test]
fn the_timeout_ends_a_call() {
    let (_listener, endpoint) = listener();
    for (what, code, words) in [
        (
            "--partition 0:5 -o json",
            4,
            "no response was received within",
        ),
        // The preview needs several calls.
        ("--everything 0", 3, "more than the 1 s of --timeout"),
    ] {
        let delete = format!("delete --topic orders {what} --yes --timeout 1");
        let output = at(&endpoint, &delete).ends_with(code);
        assert_stderr(&output, words);
        assert_stderr(&output, address(&endpoint));
    }
}

#[cfg(unix)]
#[test]
fn after_a_second_of_silence_a_terminal_shows_what_is_waited_for() {
    use crate::terminal::at_a_terminal;
    let (listener, endpoint) = listener();
    let mut session = at_a_terminal(at(&endpoint, "delete --topic orders --partition 0:5"));
    let (mut connection, _) = listener.accept().unwrap();
    connection.read_exact(&mut [0]).unwrap();
    let shown = session
        .exp_string(&format!(
            "waiting for {endpoint} to list the partitions and consumer groups of orders"
        ))
        .unwrap();
    assert!(!shown.contains("waiting"), "{shown}");
    let mut session = at_a_terminal(at(
        &endpoint,
        "delete --topic orders --partition 0:5 --yes -o json",
    ));
    session
        .exp_string(&format!("waiting for {endpoint} to delete"))
        .unwrap();
}
