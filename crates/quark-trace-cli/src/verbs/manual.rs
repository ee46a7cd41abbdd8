//! `completions` and `man`: for shells and readers.

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output::Output;

pub fn completions(shell: Shell, output: &Output) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "quark-trace", &mut script);
    output.bytes(&script).map(|()| 0)
}

/// One page with every verb: the command first, then a section a verb, then what all share.
pub fn man(output: &Output) -> Result<u8, Failure> {
    let mut command = Arguments::command();
    command.build();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        page.extend_from_slice(section(verb)?.as_bytes());
    }
    let mut shared = Vec::new();
    man.render_extra_section(&mut shared)?;
    let shared = String::from_utf8_lossy(&shared).replace(".SH EXTRA", ".SH \"ENVIRONMENT\"");
    page.extend_from_slice(shared.as_bytes());
    output.bytes(&page).map(|()| 0)
}

/// A verb as a section, its own sections below it.
fn section(verb: &Command) -> Result<String, Failure> {
    // The options of the command itself stand above, once.
    let verb = verb.clone().mut_args(|argument| {
        let shared = argument.is_global_set() || argument.get_id() == "help";
        argument.hide(shared)
    });
    let man = Man::new(verb.clone());
    let mut parts = Vec::new();
    man.render_synopsis_section(&mut parts)?;
    man.render_description_section(&mut parts)?;
    man.render_options_section(&mut parts)?;
    if verb.get_after_help().is_some() {
        man.render_extra_section(&mut parts)?;
    }
    let parts = String::from_utf8_lossy(&parts).replace(".SH EXTRA", ".SH EXAMPLES");
    let below = parts.replace(".SH ", ".SS ");
    Ok(format!(".SH \"{}\"\n{below}", verb.get_name().to_uppercase()))
}
