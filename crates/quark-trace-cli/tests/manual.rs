//! The man page, the completions and the help.

use session::Session;

mod session;

const VERBS: [&str; 20] = [
    "init",
    "check",
    "open",
    "log",
    "history",
    "query",
    "summary",
    "stages",
    "amend",
    "sheets",
    "verify",
    "prove",
    "seal",
    "copy",
    "index",
    "tail",
    "projects",
    "spool",
    "completions",
    "man",
];

#[test]
fn the_man_page_has_every_verb_and_is_roff() {
    let session = Session::new();
    let page = session.run(&["man"]).done();
    for verb in VERBS {
        assert!(page.contains(&format!(".SH \"{}\"", verb.to_uppercase())), "{verb}");
    }
    assert!(page.contains("QUARK\\_TRACE\\_STORE") || page.contains("QUARK_TRACE_STORE"));
    assert!(!page.contains("quark\\-trace\\-init(1)"), "no other page is there to be read");
    std::fs::write(session.folder.join("page.1"), &page).unwrap();
    let arguments = ["-man", "-Tutf8", "-P-cbou", "-ww", "page.1"];
    let Ok(drawn) = session.plain("groff", &arguments).output() else { return };
    assert!(drawn.status.success());
    assert_eq!(String::from_utf8_lossy(&drawn.stderr), "", "groff has nothing to complain about");
    assert!(String::from_utf8_lossy(&drawn.stdout).contains("VERIFY"));
}

#[test]
fn completions_for_every_shell() {
    let session = Session::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = session.run(&["completions", shell]).done();
        VERBS.iter().for_each(|verb| assert!(script.contains(verb), "{shell}: {verb}"));
        let file = format!("script.{shell}");
        std::fs::write(session.folder.join(&file), script).unwrap();
        if let Ok(read) = session.plain(shell, &["-n", &file]).output()
            && shell != "powershell"
            && shell != "elvish"
        {
            assert!(read.status.success(), "{shell}: {}", String::from_utf8_lossy(&read.stderr));
        }
    }
    session.run(&["completions", "nosh"]).fails(3, "nosh");
}

#[test]
fn bash_completes_verbs() {
    let session = Session::new();
    let script = session.run(&["completions", "bash"]).done();
    std::fs::write(session.folder.join("script"), script).unwrap();
    let ask = "source ./script; COMP_WORDS=(quark-trace ver); COMP_CWORD=1; \
               _quark__trace quark-trace ver quark-trace; echo \"${COMPREPLY[@]}\"";
    let Ok(said) = session.plain("bash", &["-c", ask]).output() else { return };
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "verify");
}

#[test]
fn every_verb_has_help() {
    let session = Session::new();
    let help = session.run(&["--help"]).done();
    assert!(help.starts_with("The flight recorder of machine learning"), "{help}");
    for verb in VERBS {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb}");
        assert!(session.run(&[verb, "--help"]).done().contains("Usage: quark-trace"), "{verb}");
    }
}
