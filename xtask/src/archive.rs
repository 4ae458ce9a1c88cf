//! `cargo xtask archive`: builds a release archive, unpacks it into an empty folder and uses it from there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::process::{self, cargo, succeeds, target};
use crate::{generate, materials, package};

/// Build the archive of a release, unpack it into an empty folder and use it from there.
#[derive(Debug, Args)]
pub(crate) struct Archive {
    /// Target of a statically linked program, which this machine must be able to run; without it, the program is for this machine.
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,

    /// Profile of cargo.
    #[arg(long, default_value = "release")]
    profile: String,

    /// Features of the command.
    #[arg(long, default_value = "kafka-tls")]
    features: String,

    /// Also use the program in the folders of a container image, as its user. Needs root and a static program for Linux.
    #[arg(long)]
    image: bool,
}

/// Files of the checkout, and their folders in the archive.
const FILES: [(&str, &str); 7] = [
    ("CHANGELOG.md", ""),
    ("LICENSE-APACHE", ""),
    ("LICENSE-MIT", ""),
    ("packaging/Containerfile", ""),
    ("packaging/dms-kafka-gateway.service", ""),
    (
        "crates/dms-kafka-gateway/dms-kafka-gateway.example.toml",
        "",
    ),
    ("crates/dms-kafka-cli/output.schema.json", ""),
];

/// Shells, and the file names that they look for.
const COMPLETIONS: [(&str, &str); 4] = [
    ("bash", "dms-kafka.bash"),
    ("fish", "dms-kafka.fish"),
    ("powershell", "dms-kafka.ps1"),
    ("zsh", "_dms-kafka"),
];

/// The key of the example configuration.
const KEY: (&str, &str) = ("EXAMPLEACCESSKEY", "a-secret-key-for-this-check");

impl Archive {
    /// For every change: the program that the tests have built already.
    pub(crate) fn debug() -> Self {
        Self {
            target: None,
            profile: "dev".to_owned(),
            features: String::new(),
            image: false,
        }
    }

    /// What a release has for this machine.
    pub(crate) fn release(sh: &Shell) -> Result<Self> {
        Ok(Self {
            target: Some(host(sh)?),
            profile: "release".to_owned(),
            features: "kafka-tls".to_owned(),
            image: cfg!(target_os = "linux") && succeeds(cmd!(sh, "chroot / true")),
        })
    }

    pub(crate) fn run(&self, sh: &Shell) -> Result<()> {
        let archive = self.build(sh)?;
        let folder = tempfile::tempdir_in(archive.parent().context("no folder")?)?;
        unpack(sh, &archive, folder.path())?;
        check(sh, folder.path())?;
        if self.image {
            check_image(sh, folder.path())?;
        }
        eprintln!("{} works from an empty folder", archive.display());
        Ok(())
    }

    /// Writes the archive and its checksum, and returns its path.
    fn build(&self, sh: &Shell) -> Result<PathBuf> {
        let host = host(sh)?;
        let triple = self.target.as_deref().unwrap_or(&host);
        let version = package::version(&sh.current_dir())?;
        let program = self.compile(sh)?;
        let name = format!("dms-kafka-{version}-{triple}");
        let archives = sh.create_dir(target(sh).join("archive"))?;
        let folder = archives.join(&name);
        sh.remove_path(&folder)?;
        for created in ["", "man/man1", "completions"] {
            sh.create_dir(folder.join(created))?;
        }
        sh.copy_file(&program, &folder)?;
        for (file, into) in FILES {
            sh.copy_file(file, folder.join(into))?;
        }
        let readme = absolute_links(&sh.read_file("README.md")?, &version);
        sh.write_file(folder.join("README.md"), readme)?;
        let pages = folder.join("man/man1");
        cmd!(sh, "{program} man --dir {pages}").quiet().run()?;
        for (shell, file) in COMPLETIONS {
            let script = cmd!(sh, "{program} completions {shell}").quiet().read()?;
            sh.write_file(folder.join("completions").join(file), script + "\n")?;
        }
        let components = materials::components(sh, &self.features, triple)?;
        let bill = materials::bill(&version, &components);
        let bill = serde_json::to_string_pretty(&bill)? + "\n";
        sh.write_file(folder.join("sbom.cdx.json"), &bill)?;
        let licences = materials::licences(&components)?;
        sh.write_file(folder.join("THIRD-PARTY-LICENSES.txt"), licences)?;
        let archive = archives.join(format!("{name}.tar.gz"));
        let there = sh.push_dir(&archives);
        cmd!(sh, "tar -czf {name}.tar.gz {name}").quiet().run()?;
        drop(there);
        let sum = generate::sha256(fs::read(&archive)?);
        sh.write_file(
            archives.join(format!("{name}.tar.gz.sha256")),
            format!("{sum}  {name}.tar.gz\n"),
        )?;
        sh.write_file(archives.join(format!("{name}.cdx.json")), bill)?;
        Ok(archive)
    }

    /// Builds the command and returns its path.
    fn compile(&self, sh: &Shell) -> Result<PathBuf> {
        let Self {
            profile, features, ..
        } = self;
        let mut build = cargo(sh, "build --locked --package dms-kafka-cli");
        build = build.args(["--profile", profile, "--features", features]);
        build = build.args(["--config", "profile.release.strip=true"]);
        let mut folder = target(sh);
        if let Some(triple) = &self.target {
            build = build.args(["--target", triple]);
            build = build.env("RUSTFLAGS", "-C target-feature=+crt-static");
            folder.push(triple);
        }
        build.run()?;
        let profile = if profile == "dev" { "debug" } else { profile };
        let name = format!("dms-kafka{}", env::consts::EXE_SUFFIX);
        Ok(folder.join(profile).join(name))
    }
}

/// README for an archive, in which the files that it links to are missing: links to those of the release's tag.
fn absolute_links(readme: &str, version: &str) -> String {
    let mut parts = readme.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let absolute = part.starts_with('#') || part.starts_with("https://");
        let base = format!("{}/blob/v{version}/", env!("CARGO_PKG_REPOSITORY"));
        text + "](" + if absolute { "" } else { &base } + part
    })
}

/// Unpacks an archive into a folder beside it. Some programs take the colon of an absolute path on Windows for a host.
fn unpack(sh: &Shell, archive: &Path, folder: &Path) -> Result<()> {
    let _there = sh.push_dir(folder);
    let name = archive.file_name().unwrap_or_default();
    let archive = Path::new("..").join(name);
    Ok(cmd!(sh, "tar -xzf {archive} --strip-components=1").run()?)
}

/// The target of this machine.
fn host(sh: &Shell) -> Result<String> {
    let text = cmd!(sh, "rustc -vV").quiet().read()?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc -vV: no host")?.to_owned())
}

/// Uses what is in the folder.
fn check(sh: &Shell, folder: &Path) -> Result<()> {
    let _there = sh.push_dir(folder);
    let program = folder.join(format!("dms-kafka{}", env::consts::EXE_SUFFIX));
    let deletion = cmd!(
        sh,
        "{program} delete --embedded --topic orders --partition 0:400 --yes"
    );
    let deleted = deletion.read()?;
    ensure!(deleted.contains("deleted"), "{deleted}");

    let config = Path::new("dms-kafka-gateway.example.toml");
    let secret = [
        ("DMS_KAFKA_GATEWAY_SK", KEY.1),
        ("DMS_KAFKA_SERVE_LISTEN", "127.0.0.1:0"),
    ];
    let (_server, endpoint) = process::serve_from(sh, &program, config, &secret)?;
    let example: toml::Table = sh.read_file(config)?.parse()?;
    let instance = &example["instance"][0];
    let (project, id) = (instance["project_id"].as_str(), instance["id"].as_str());
    let (project, id) = (project.context("project_id")?, id.context("id")?);
    let deletion = cmd!(
        sh,
        "{program} delete --endpoint {endpoint} --project-id {project} --instance-id {id} --topic orders
            --partition 0:400 --yes --output json"
    );
    let deletion = deletion.envs([("HUAWEICLOUD_SDK_AK", KEY.0), ("HUAWEICLOUD_SDK_SK", KEY.1)]);
    let deleted: Value = serde_json::from_str(&deletion.read()?)?;
    ensure!(deleted["partitions"][0]["status"] == "deleted", "{deleted}");

    let page = "man/man1/dms-kafka-delete.1";
    if succeeds(cmd!(sh, "man --version")) {
        let shown = cmd!(sh, "man ./{page}").env("MANPAGER", "cat");
        ensure!(
            shown.read()?.contains("DESCRIPTION"),
            "{page}: nothing to read"
        );
    }
    if succeeds(cmd!(sh, "bash --version")) {
        let script = "source completions/dms-kafka.bash; f=$(complete -p dms-kafka); f=${f#*-F }; \
                      COMP_WORDS=(dms-kafka pur) COMP_CWORD=1; ${f%% *} dms-kafka pur dms-kafka; echo $COMPREPLY";
        let completed = cmd!(sh, "bash -c {script}").read()?;
        ensure!(completed == "purge", "completion of pur: {completed}");
    }
    let bill: Value = serde_json::from_str(&sh.read_file("sbom.cdx.json")?)?;
    let serial = bill["serialNumber"].as_str().unwrap_or_default();
    ensure!(
        serial.starts_with("urn:uuid:"),
        "sbom.cdx.json: serialNumber {serial:?}"
    );
    check_unit(sh, &program)
}

/// Lets systemd verify the unit, with the path of this program.
fn check_unit(sh: &Shell, program: &Path) -> Result<()> {
    if !succeeds(cmd!(sh, "systemd-analyze --version")) {
        return Ok(());
    }
    let unit = sh.read_file("dms-kafka-gateway.service")?;
    let unit = unit.replace("/usr/local/bin/dms-kafka", &program.display().to_string());
    let folder = sh.create_temp_dir()?;
    let file = folder.path().join("dms-kafka-gateway.service");
    sh.write_file(&file, unit)?;
    Ok(cmd!(sh, "systemd-analyze verify {file}").run()?)
}

/// Builds the folders of the image as the Containerfile says, and runs its program there as its user.
fn check_image(sh: &Shell, context: &Path) -> Result<()> {
    let text = sh.read_file(context.join("Containerfile"))?;
    let (_, last) = text.rsplit_once("FROM scratch\n").context("FROM scratch")?;
    let root = sh.create_temp_dir()?;
    let (mut user, mut program) = (None, None);
    for line in last.lines() {
        match line.split_once(' ') {
            Some(("COPY", files)) if !files.starts_with("--from") => {
                let files: Vec<&str> = files.split(' ').collect();
                let (to, files) = files.split_last().context("COPY")?;
                let to = root.path().join(to.trim_start_matches('/'));
                sh.create_dir(if files.len() > 1 {
                    &to
                } else {
                    to.parent().context("COPY")?
                })?;
                files
                    .iter()
                    .try_for_each(|file| sh.copy_file(context.join(file), &to))?;
            }
            Some(("USER", name)) => user = Some(name),
            Some(("ENTRYPOINT", words)) => {
                program = serde_json::from_str::<Vec<String>>(words)?.pop();
            }
            _ => {}
        }
    }
    let (user, program) = (user.context("USER")?, program.context("ENTRYPOINT")?);
    let root = root.path();
    cmd!(sh, "chmod 755 {root}").quiet().run()?;
    // What a container has besides the image.
    sh.create_dir(root.join("dev"))?;
    for (device, minor) in [("random", "8"), ("urandom", "9")] {
        cmd!(sh, "mknod -m 666 {root}/dev/{device} c 1 {minor}").run()?;
    }
    let deletion = "delete --embedded --topic orders --partition 0:400 --yes";
    let deletion = cmd!(sh, "chroot --userspec={user} {root} {program}").args(deletion.split(' '));
    let deleted = deletion.read()?;
    ensure!(deleted.contains("deleted"), "{deleted}");
    Ok(())
}
