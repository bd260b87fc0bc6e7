//! The command line, read by hand: five words and a handful of flags need no parser to compile.

use crate::build::Profile;
use anyhow::{Context as _, Result, bail};

/// The port of the demo when none is asked for.
const DEFAULT_PORT: u16 = 8787;

/// One chore.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Run(RunOptions),
    Build {
        profile: Profile,
    },
    Size {
        check: bool,
    },
    Arrows,
    Test {
        only: Option<String>,
    },
    Setup,
    /// The pinned trunk, with these arguments.
    Trunk(Vec<String>),
    /// Not for people: what [`Command::Run`] starts beside the server it turns into.
    AfterStart(AfterStart),
    Help,
}

/// How to run the demo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunOptions {
    pub(crate) port: u16,
    /// Open the browser as soon as the server is ready.
    pub(crate) open: bool,
    pub(crate) profile: Profile,
    /// Who runs the demo's assistant, if not the server itself.
    pub(crate) provider: Option<Provider>,
    /// Passed on to the server as they are.
    pub(crate) server_flags: Vec<String>,
}

/// A stand-in for a provider that needs an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    VapiDouble,
}

/// What is left to do once the server answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AfterStart {
    pub(crate) port: u16,
    pub(crate) open: bool,
    pub(crate) trunk: bool,
}

/// Reads the words after `cargo xtask`.
///
/// # Errors
/// On a word that is not known, with the word in the message.
pub(crate) fn parse(words: &[String]) -> Result<Command> {
    let Some((name, rest)) = words.split_first() else {
        return Ok(Command::Help);
    };
    if name == "trunk" {
        return Ok(Command::Trunk(rest.to_vec()));
    }
    let mut words = Words::new(rest);
    let command = match name.as_str() {
        "run" => Command::Run(RunOptions {
            port: words.port()?,
            open: words.flag("--open"),
            profile: words.profile(),
            provider: words.provider()?,
            server_flags: words.passed_on(),
        }),
        "build" => Command::Build { profile: words.profile() },
        "size" => Command::Size { check: words.flag("--check") },
        "arrows" => Command::Arrows,
        "test" => Command::Test { only: words.value("--only")? },
        "setup" => Command::Setup,
        "after-start" => Command::AfterStart(AfterStart {
            port: words.port()?,
            open: words.flag("--open"),
            trunk: words.flag("--trunk"),
        }),
        "help" | "--help" | "-h" => Command::Help,
        unknown => bail!("no command `{unknown}`; see `cargo xtask help`"),
    };
    words.finish()?;
    Ok(command)
}

/// The words not read yet. Each reader takes what it knows; [`Words::finish`] objects to the rest.
struct Words {
    own: Vec<String>,
    passed_on: Vec<String>,
}

impl Words {
    fn new(words: &[String]) -> Self {
        let split = words.iter().position(|word| word == "--").unwrap_or(words.len());
        Self {
            own: words[..split].to_vec(),
            passed_on: words.get(split + 1..).unwrap_or_default().to_vec(),
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        let found = self.own.iter().position(|word| word == name);
        found.map(|index| self.own.remove(index)).is_some()
    }

    /// Takes `--name value` or `--name=value`.
    fn value(&mut self, name: &str) -> Result<Option<String>> {
        let joined = format!("{name}=");
        if let Some(index) = self.own.iter().position(|word| word.starts_with(&joined)) {
            return Ok(Some(self.own.remove(index)[joined.len()..].to_owned()));
        }
        let Some(index) = self.own.iter().position(|word| word == name) else {
            return Ok(None);
        };
        if index + 1 >= self.own.len() {
            bail!("{name} needs a value");
        }
        self.own.remove(index);
        Ok(Some(self.own.remove(index)))
    }

    fn port(&mut self) -> Result<u16> {
        let Some(text) = self.value("--port")? else {
            return Ok(DEFAULT_PORT);
        };
        text.parse().with_context(|| format!("`{text}` is not a port (1 to 65535)"))
    }

    fn provider(&mut self) -> Result<Option<Provider>> {
        match self.value("--provider")?.as_deref() {
            None => Ok(None),
            Some("vapi-double") => Ok(Some(Provider::VapiDouble)),
            Some(other) => bail!("no provider `{other}`: there is `vapi-double`"),
        }
    }

    fn profile(&mut self) -> Profile {
        if self.flag("--dev") { Profile::Dev } else { Profile::Release }
    }

    fn passed_on(&mut self) -> Vec<String> {
        std::mem::take(&mut self.passed_on)
    }

    fn finish(self) -> Result<()> {
        match self.own.first().or(self.passed_on.first()) {
            Some(word) => bail!("`{word}` is not understood here; see `cargo xtask help`"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Provider, RunOptions, parse};
    use crate::build::Profile;

    fn read(line: &str) -> anyhow::Result<Command> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn every_form_of_run_is_read() {
        let options = |port, open, profile, flags: &[&str]| {
            Command::Run(RunOptions {
                port,
                open,
                profile,
                provider: None,
                server_flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            })
        };
        for (line, expected) in [
            ("run", options(8787, false, Profile::Release, &[])),
            ("run --port 9000 --open", options(9000, true, Profile::Release, &[])),
            ("run --dev --port=1", options(1, false, Profile::Dev, &[])),
            (
                "run -- --data x --open",
                options(8787, false, Profile::Release, &["--data", "x", "--open"]),
            ),
        ] {
            assert_eq!(read(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn a_provider_is_one_there_is() {
        let Command::Run(options) = read("run --provider vapi-double").unwrap() else { panic!() };
        assert_eq!(options.provider, Some(Provider::VapiDouble));
        assert!(read("run --provider vapi").is_err());
    }

    #[test]
    fn the_other_commands_are_read() {
        for (line, expected) in [
            ("", Command::Help),
            ("build --dev", Command::Build { profile: Profile::Dev }),
            ("size --check", Command::Size { check: true }),
            ("test", Command::Test { only: None }),
            ("test --only fmt", Command::Test { only: Some("fmt".to_owned()) }),
            ("trunk serve --open", Command::Trunk(vec!["serve".to_owned(), "--open".to_owned()])),
        ] {
            assert_eq!(read(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn a_mistake_is_named() {
        for (line, word) in [
            ("rum", "rum"),
            ("run --prot 1", "--prot"),
            ("run --port", "--port"),
            ("run --port 70000", "70000"),
            ("build -- --x", "--x"),
            ("setup now", "now"),
        ] {
            assert!(format!("{:#}", read(line).unwrap_err()).contains(word), "{line}");
        }
    }
}
