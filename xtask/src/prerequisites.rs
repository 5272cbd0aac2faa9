//! What the tests need besides Rust: put in place where that can be done, named where it cannot.

use std::path::Path;
use std::process::{Command, Stdio};

/// Installs what is missing; gives what still is.
pub fn install() -> Vec<String> {
    if !exists("curl") && is_root() && Path::new("/usr/bin/apt-get").exists() {
        apt(&["update", "-q"]);
        apt(&["install", "-yq", "--no-install-recommends", "curl"]);
    }
    if crate::postgres::programs().is_none() {
        if is_root() && Path::new("/usr/bin/apt-get").exists() {
            println!("=== installing PostgreSQL");
            apt(&["update", "-q"]);
            apt(&["install", "-yq", "--no-install-recommends", "postgresql"]);
        } else {
            println!("PostgreSQL is not installed, and this is not a Debian machine that I may install it on");
        }
    }
    if !exists("npm") && is_root() && Path::new("/usr/bin/apt-get").exists() {
        println!("=== installing Node.js");
        apt(&["update", "-q"]);
        apt(&["install", "-yq", "--no-install-recommends", "nodejs", "npm"]);
    }
    if !exists(FUZZER) {
        install_fuzzer();
    }
    missing()
}

/// What fuzzes the interface by its description: a program of its own folder, so that no other Python is touched.
const FUZZER: &str = "target/python/bin/schemathesis";
/// Fixed, so that the same run finds the same.
const FUZZER_PACKAGE: &str = "schemathesis==4.32.5";

fn install_fuzzer() {
    let make = || run("python3", &["-m", "venv", "target/python"]);
    if !make() && is_root() && Path::new("/usr/bin/apt-get").exists() {
        apt(&["update", "-q"]);
        apt(&["install", "-yq", "--no-install-recommends", "python3", "python3-venv"]);
        make();
    }
    println!("=== installing {FUZZER_PACKAGE}");
    run("target/python/bin/pip", &["install", "-q", "--disable-pip-version-check", FUZZER_PACKAGE]);
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).status().is_ok_and(|status| status.success())
}

fn missing() -> Vec<String> {
    let mut missing = Vec::new();
    if crate::postgres::programs().is_none() {
        missing.push(
            "PostgreSQL 15 or later in /usr/lib/postgresql/*/bin (Debian: apt-get install postgresql)".to_owned(),
        );
    }
    if !exists(FUZZER) {
        missing.push(format!(
            "{FUZZER} (python3 -m venv target/python && target/python/bin/pip install {FUZZER_PACKAGE})"
        ));
    }
    if !exists("npm") {
        missing.push(
            "Node.js 18 or later with npm, which tests the sockets (Debian: apt-get install nodejs npm)".to_owned(),
        );
    }
    let absent = ["setpriv", "kill", "id", "bash", "curl", "timeout"].into_iter().filter(|program| !exists(program));
    missing.extend(absent.map(|program| {
        format!("the program {program} (Debian: apt-get install util-linux procps bash curl coreutils)")
    }));
    missing
}

fn apt(arguments: &[&str]) {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    if !command.status().is_ok_and(|status| status.success()) {
        println!("apt-get {} failed", arguments.join(" "));
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

fn exists(program: &str) -> bool {
    let mut command = Command::new(program);
    let silent = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    silent.status().is_ok()
}
