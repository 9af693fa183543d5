//! `twofactor completions SHELL`: a script for the shell to load.
//!
//! clap writes commands and options; what is added asks `twofactor complete` for values that the host knows: users, serials,
//! series, services, events and states.

use clap::Command;
use clap_complete::Shell;

use crate::args::{self, Completions};
use crate::error::Failure;
use crate::output;

pub(crate) fn run(arguments: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut without_hidden(&args::command_line()), "twofactor", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = match arguments.shell {
        Shell::Bash => script.into_owned() + BASH,
        Shell::Zsh => with_values_in_zsh(&script),
        Shell::Fish => with_values_in_fish(&script),
        _ => script.into_owned(),
    };
    Ok(output::raw(&script)?)
}

/// clap_complete names hidden commands, too.
fn without_hidden(whole: &Command) -> Command {
    let visible = Command::new("twofactor").version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true);
    let shown = whole.get_subcommands().filter(|command| !command.is_hide_set());
    visible.args(whole.get_arguments().cloned()).subcommands(shown.cloned())
}

/// Values take the place of all else, where there are any.
const BASH: &str = r#"
_twofactor_with_values() {
    local value values=() word="${COMP_WORDS[COMP_CWORD]}"
    while IFS= read -r value; do
        printf -v value %q "$value"
        values+=("$value")
    done < <("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [[ ${#values[@]} -gt 0 ]]; then
        COMPREPLY=("${values[@]}")
    else
        _twofactor "$@"
    fi
}
complete -F _twofactor_with_values -o bashdefault -o default twofactor
"#;

/// The function that clap writes gets another name, and ours its name: zsh loads the file by it.
fn with_values_in_zsh(script: &str) -> String {
    let ours = "\n_twofactor() {\n    local -a typed values\n    typed=(${(Q)${(z)LBUFFER}})\n    [[ $LBUFFER == *[[:space:]] ]] && \
                typed+=('')\n    values=(${(f)\"$(twofactor complete -- \"${typed[@]}\" 2>/dev/null)\"})\n    if (( \
                $#values )); then\n        compadd -a values\n    else\n        _twofactor_words \"$@\"\n    \
                fi\n}\n\n_twofactor_words() {";
    script.replacen("\n_twofactor() {", ours, 1)
}

/// Values of positionals for the whole tool, and of options beside the option.
fn with_values_in_fish(script: &str) -> String {
    let mut text = String::with_capacity(script.len() + 1024);
    for line in script.lines() {
        text.push_str(line);
        let has_values = ["user", "series", "service", "event", "state"];
        if line.ends_with(" -r") && has_values.iter().any(|option| line.contains(&format!(" -l {option} "))) {
            text.push_str(" -f -a \"(__twofactor_values)\"");
        }
        text.push('\n');
    }
    text + FISH
}

const FISH: &str = r"
function __twofactor_values
    set -l typed (commandline -opc) (commandline -ct)
    twofactor complete -- $typed 2>/dev/null
end
complete -c twofactor -f -n 'test (count (__twofactor_values)) -gt 0' -a '(__twofactor_values)'
";
