//! relink's command line as clap knows it, to ask the same of every command there is.

/// A command with the words that name it after `relink`; none for relink itself.
pub struct Spoken {
    pub words: Vec<String>,
    pub command: clap::Command,
}

impl Spoken {
    pub fn with(&self, more: &[&str]) -> Vec<String> {
        let more = more.iter().map(ToString::to_string);
        self.words.iter().cloned().chain(more).collect()
    }

    /// `relink-journal-show`, as its manual page is named.
    pub fn dashed(&self) -> String {
        let program = ["relink".to_owned()];
        let words: Vec<_> = program.iter().chain(&self.words).cloned().collect();
        words.join("-")
    }
}

/// Every command, nested ones too. What may follow `relink help` are names and no commands, but for the topics.
pub fn every_command() -> Vec<Spoken> {
    let mut root = relink::cli::command();
    root.build();
    let mut found = Vec::new();
    walk(&root, &[], &mut found);
    assert!(found.len() > 20, "the commands were not found");
    found
}

fn walk(command: &clap::Command, words: &[String], found: &mut Vec<Spoken>) {
    found.push(Spoken {
        words: words.to_vec(),
        command: command.clone(),
    });
    for below in command.get_subcommands() {
        let is_name = words == ["help"] && below.get_after_help().is_none();
        if !is_name {
            walk(
                below,
                &[words, &[below.get_name().to_owned()]].concat(),
                found,
            );
        }
    }
}
