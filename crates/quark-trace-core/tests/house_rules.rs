//! The rules of the house, read off the tree: what a reviewer would otherwise have to remember.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Longest file, in lines before its tests.
const LONGEST: usize = 350;

/// Files that may be longer, how long, and why. One that became shorter must leave this list.
const LONGER: &[(&str, usize, &str)] = &[(
    "crates/quark-trace/src/store/file/recover.rs",
    420,
    "every way in which a log can be found",
)];

/// Libraries: whoever uses them decides what is printed and where settings come from.
const LIBRARIES: &[&str] = &[
    "crates/quark-trace-core/src",
    "crates/quark-trace/src",
    "crates/quark-trace-server/src",
    "python/src",
];

/// Code that others run as their test; it may fail loudly.
const TEST_KITS: &[&str] = &["crates/quark-trace/src/store/conformance"];

fn root() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).unwrap()
}

/// All files of the tree but those that are made in it, by their path from the root.
fn tree() -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            let made = ["target", "dist", ".git", "node_modules", "__pycache__", "artifacts"];
            if made.contains(&name.as_str())
                || name.starts_with(".venv")
                || name.ends_with("_cache")
            {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_type().unwrap().is_file() {
                let path = entry.path().strip_prefix(root()).unwrap().to_path_buf();
                files.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    files.sort();
    assert!(files.len() > 100, "the tree was not found");
    files
}

fn read(path: &str) -> String {
    String::from_utf8_lossy(&fs::read(root().join(path)).unwrap()).into_owned()
}

fn sources(folders: &[&str]) -> Vec<String> {
    let inside = |file: &String| folders.iter().any(|folder| file.starts_with(folder));
    let rust = |file: &String| Path::new(file).extension().is_some_and(|end| end == "rs");
    tree().into_iter().filter(inside).filter(rust).collect()
}

/// The Rust files of every crate, tests and benchmarks left out.
fn shipped() -> Vec<String> {
    let mut files = sources(&["crates/", "python/src/"]);
    files.retain(|file| file.contains("/src/"));
    files
}

/// The lines before the tests of a file, with their numbers, comments left out.
fn code(path: &str) -> Vec<(usize, String)> {
    let text = read(path);
    let before = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned();
    let lines = before.lines().enumerate();
    let code = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.map(|(at, line)| (at + 1, line.to_owned())).collect()
}

/// Fails with every place where one of `banned` stands in the code of `files`.
fn refuse(files: &[String], banned: &[&str], why: &str) {
    let mut found = String::new();
    for file in files {
        for (number, line) in code(file) {
            for word in banned.iter().filter(|word| line.contains(**word)) {
                writeln!(found, "  {file}:{number}: {word}").unwrap();
            }
        }
    }
    assert!(found.is_empty(), "{why}:\n{found}");
}

/// The crates of this workspace and those among them that each one uses, tests left out.
fn workspace() -> BTreeMap<String, Vec<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let done = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let metadata: Value = serde_json::from_slice(&done.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let ours: Vec<String> = packages.iter().map(name).collect();
    let uses = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        let plain = all.filter(|dependency| dependency["kind"].is_null());
        plain.map(name).filter(|used| ours.contains(used)).collect()
    };
    packages.iter().map(|package| (name(package), uses(package))).collect()
}

#[test]
fn the_walls_stand() {
    let mut lower: BTreeMap<&str, &[&str]> = BTreeMap::new();
    lower.insert("quark-trace-core", &[]);
    lower.insert("quark-trace", &["quark-trace-core"]);
    lower.insert("quark-trace-server", &["quark-trace", "quark-trace-core"]);
    lower.insert("quark-trace-cli", &["quark-trace", "quark-trace-server"]);
    lower.insert("quark-trace-python", &["quark-trace"]);
    for (name, uses) in workspace() {
        let allowed = lower.get(name.as_str());
        let allowed = allowed.unwrap_or_else(|| panic!("{name} has no place in the house yet"));
        for used in uses {
            assert!(allowed.contains(&used.as_str()), "{name} must not use {used}");
        }
    }
}

#[test]
fn the_core_touches_nothing() {
    let banned = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant",
        "getrandom",
        "rand::",
        "unsafe ",
    ];
    let files = sources(&["crates/quark-trace-core/src"]);
    refuse(&files, &banned, "the core has no I/O, clock, environment or randomness");
    assert!(read("crates/quark-trace-core/src/lib.rs").contains("#![forbid(unsafe_code)]"));
}

#[test]
fn libraries_are_silent_and_do_not_panic() {
    let mut files = sources(LIBRARIES);
    files.retain(|file| !TEST_KITS.iter().any(|kit| file.starts_with(kit)));
    let banned = [
        "println!",
        "print!(",
        "dbg!",
        "env::var",
        "env::args",
        "env::set_",
        ".unwrap()",
        "panic!",
        "todo!",
        "unimplemented!",
        "unreachable!",
        ".expect(\"\")",
    ];
    refuse(&files, &banned, "a library neither prints, nor reads the environment, nor panics");
}

#[test]
fn one_file_of_the_command_reads_the_environment() {
    let mut files = sources(&["crates/quark-trace-cli/src"]);
    files.retain(|file| !file.ends_with("/environment.rs"));
    refuse(&files, &["env::var"], "environment variables are read in environment.rs alone");
}

#[test]
fn no_store_knows_another() {
    let stores = ["file", "memory", "sqlite", "postgres", "http", "ipfs", "evm"];
    for store in stores {
        let folder = format!("crates/quark-trace/src/store/{store}");
        let others: Vec<String> = stores
            .iter()
            .filter(|other| **other != store)
            .flat_map(|other| [format!("store::{other}"), format!("super::{other}")])
            .collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        refuse(&sources(&[&folder]), &others, "a store sees the contract and no other store");
    }
}

#[test]
fn unsafe_code_is_nowhere() {
    let files = shipped();
    refuse(&files, &["unsafe {", "unsafe fn", "unsafe impl"], "nothing here needs unsafe code");
}

#[test]
fn files_are_short_enough_to_read() {
    for file in shipped() {
        let lines = read(&file).split("\n#[cfg(test)]\nmod ").next().unwrap().lines().count();
        match LONGER.iter().find(|(long, ..)| *long == file) {
            None => assert!(lines <= LONGEST, "{file} has {lines} lines, {LONGEST} are allowed"),
            Some((_, limit, why)) => {
                assert!(lines <= *limit, "{file} has {lines} lines, {limit} are allowed ({why})");
                assert!(lines > LONGEST, "{file} is short again; take it off the list");
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for file in shipped() {
        assert!(read(&file).starts_with("//! "), "{file} does not begin with what it is");
    }
    for file in tree().iter().filter(|file| file.starts_with("python/quark_trace/")) {
        if Path::new(file).extension().is_some_and(|end| end == "py") {
            assert!(read(file).starts_with("\"\"\""), "{file} does not begin with what it is");
        }
    }
}

#[test]
fn names_say_something() {
    for file in shipped() {
        let stem = Path::new(&file).file_stem().unwrap().to_string_lossy().into_owned();
        let empty = ["utils", "util", "common", "manager", "helper", "helpers", "misc"];
        assert!(!empty.contains(&stem.as_str()), "{file}: a name for what is in it");
    }
    refuse(&shipped(), &["fn get_"], "a getter is named as what it gets");
}

#[test]
fn the_tree_is_about_no_machine_and_no_registry() {
    // In pieces, so that this file does not hold them itself.
    let banned = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/tm", "p/"),
        concat!("C:\\", "Users"),
        concat!("pypi", ".org"),
        concat!("pythonhosted", ".org"),
        concat!("static.crates", ".io"),
        concat!("index.crates", ".io"),
        concat!("registry.npmjs", ".org"),
        concat!("proxy.golang", ".org"),
    ];
    let mut found = String::new();
    for file in tree() {
        // The lock file names the one index that Cargo always names.
        if file.ends_with("Cargo.lock") || file.starts_with("fuzz/corpus/") {
            continue;
        }
        let text = read(&file);
        for word in banned.iter().filter(|word| text.contains(**word)) {
            writeln!(found, "  {file}: {word}").unwrap();
        }
    }
    assert!(found.is_empty(), "a path of one machine or a host that may not be reached:\n{found}");
}

#[test]
fn every_crate_takes_part() {
    for (name, _) in workspace() {
        let folder =
            name.strip_suffix("-python").map_or(format!("crates/{name}"), |_| "python".into());
        let manifest = read(&format!("{folder}/Cargo.toml"));
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{name} leaves the common lints out"
        );
        assert!(manifest.contains("version.workspace = true"), "{name} has a version of its own");
    }
}

#[test]
fn the_rules_find_what_they_forbid() {
    let found = std::panic::catch_unwind(|| {
        let files = ["crates/quark-trace-core/tests/house_rules.rs".to_owned()];
        refuse(&files, &["fn the_rules_find_what_they_forbid"], "a probe");
    });
    assert!(found.is_err(), "a banned word must be found");
}
