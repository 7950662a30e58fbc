//! `GMP_DEBUG`: what the user of a program wants to see of it, without another build. Go: `GODEBUG`.

use crate::BuildError;
use gmp_core::runtime::Handle;

/// What `GMP_DEBUG` asks for: words between commas.
#[derive(Debug, Default)]
pub(crate) struct Debug {
    /// Signals on which all goroutines are dumped to standard error.
    pub(crate) dump_on: Vec<i32>,
    /// Whether goroutines that are left when main returns are dumped to standard error.
    pub(crate) leftovers: bool,
    /// The period, in milliseconds, of the lines about the scheduler that go to standard error.
    pub(crate) schedtrace: Option<u64>,
    /// Whether it is followed by lines about every P, M and goroutine.
    pub(crate) scheddetail: bool,
    /// The path of the socket at which the program answers, and what it answers beyond what gmp-inspect does. `GMP_DEBUG`
    /// has no word for it.
    #[cfg(feature = "dump")]
    pub(crate) inspect: Option<(std::path::PathBuf, gmp_inspect::Answers)>,
    /// The file that events go to.
    #[cfg(feature = "trace")]
    pub(crate) trace: Option<crate::trace::by_environment::Asked>,
}

/// SIGQUIT, which a terminal sends for Ctrl-\\; its number on Linux.
const QUIT: i32 = 3;

impl Debug {
    /// What the environment asks for.
    pub(crate) fn from_environment() -> Result<Debug, BuildError> {
        match std::env::var_os("GMP_DEBUG") {
            Some(text) => Self::parse(&text.to_string_lossy()),
            None => Ok(Debug::default()),
        }
    }

    /// Adds what another one asks for.
    pub(crate) fn add(&mut self, other: Debug) {
        self.dump_on.extend(other.dump_on);
        self.dump_on.sort_unstable();
        self.dump_on.dedup();
        self.leftovers |= other.leftovers;
        self.schedtrace = other.schedtrace.or(self.schedtrace);
        self.scheddetail |= other.scheddetail;
        #[cfg(feature = "dump")]
        {
            self.inspect = other.inspect.or(self.inspect.take());
        }
    }

    fn parse(text: &str) -> Result<Debug, BuildError> {
        let mut debug = Debug::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let number = |value: &str| value.parse().map_err(|_| BuildError::Debug(word.into()));
            match word.split_once('=') {
                Some(("schedtrace", period)) if cfg!(feature = "dump") => {
                    debug.schedtrace = Some(number(period)?).filter(|&period| period != 0);
                    continue;
                }
                Some(("scheddetail", on)) if cfg!(feature = "dump") => {
                    debug.scheddetail = number(on)? != 0;
                    continue;
                }
                _ => {}
            }
            match word {
                "dump" if cfg!(feature = "dump") => debug.dump_on.push(QUIT),
                "leftovers" if cfg!(feature = "dump") => debug.leftovers = true,
                _ => return Err(BuildError::Debug(word.into())),
            }
        }
        Ok(debug)
    }

    /// Does what is asked for while a runtime runs: until the result is dropped.
    ///
    /// # Errors
    /// What the operating system said.
    pub(crate) fn begin(&mut self, handle: &Handle) -> std::io::Result<impl Drop + use<>> {
        #[cfg(feature = "trace")]
        let trace = {
            if handle.flight_recorder().is_some() {
                handle.record(gmp_trace::RECORDS);
            }
            self.trace.take().map(|asked| asked.begin(handle)).transpose()?
        };
        #[cfg(not(feature = "trace"))]
        let trace = ();
        #[cfg(feature = "dump")]
        {
            gmp_inspect::install();
            let watched = self.dump_on.iter().map(|&signal| gmp_inspect::dump_on(signal, handle.clone()));
            let watched = watched.collect::<std::io::Result<Vec<_>>>()?;
            let period = self.schedtrace.map(std::time::Duration::from_millis);
            let traced =
                period.map(|period| gmp_inspect::schedtrace(handle.clone(), period, self.scheddetail));
            let served = self.inspect.as_ref();
            let served = served.map(|(path, answers)| gmp_inspect::serve(handle.clone(), path, answers));
            Ok(Begun((watched, traced.transpose()?, served.transpose()?, trace)))
        }
        #[cfg(not(feature = "dump"))]
        {
            let _ = handle;
            Ok(Begun(trace))
        }
    }

    /// What is to be done in main when it returns.
    pub(crate) fn at_main_return(&self) {
        #[cfg(feature = "dump")]
        gmp_core::goroutine::with_runtime("run", |handle| {
            if self.leftovers && handle.num_goroutines() > 1 {
                let dump = gmp_core::blocking(|| gmp_inspect::dump_elsewhere(handle));
                eprintln!("GMP_DEBUG=leftovers: main returns and leaves these behind\n{dump}");
            }
        });
    }
}

/// What was begun, and ends when this is dropped.
struct Begun<T>(T);

impl<T> Drop for Begun<T> {
    fn drop(&mut self) {
        let _ = &self.0;
    }
}

#[cfg(all(test, feature = "dump"))]
mod tests {
    use super::*;

    #[test]
    fn words_stand_between_commas() {
        let asked = Debug::parse("dump, leftovers,").unwrap();
        assert_eq!((&*asked.dump_on, asked.leftovers, asked.schedtrace), (&[QUIT][..], true, None));
        let asked = Debug::parse("schedtrace=1000,scheddetail=1").unwrap();
        assert_eq!((asked.schedtrace, asked.scheddetail, asked.dump_on.len()), (Some(1000), true, 0));
        assert!(Debug::parse("schedtrace=often").is_err());
        assert!(Debug::parse("").unwrap().dump_on.is_empty());
        let refused = Debug::parse("dump,dumb").unwrap_err().to_string();
        assert!(refused.contains("GMP_DEBUG") && refused.contains("\"dumb\""), "{refused}");
    }
}
