//! `completions` and `man`: for shells and readers.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output::Output;

pub fn completions(shell: Shell, output: &Output) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "quark-trace", &mut script);
    output.bytes(&script).map(|()| 0)
}

/// One page with every verb.
pub fn man(output: &Output) -> Result<u8, Failure> {
    let mut page = Vec::new();
    let command = Arguments::command();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for verb in command.get_subcommands() {
        let verb = verb.clone();
        let man = clap_mangen::Man::new(verb.clone());
        let heading = format!(".SH \"{}\"\n", verb.get_name().to_uppercase());
        page.extend_from_slice(heading.as_bytes());
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
    }
    output.bytes(&page).map(|()| 0)
}
