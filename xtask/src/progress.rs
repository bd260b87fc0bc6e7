//! Progress lines: which step of how many, and how many seconds it took.

use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a step that takes long says so where lines cannot be rewritten (CI).
const QUIET_INTERVAL: Duration = Duration::from_secs(30);

/// A numbered list of steps being worked through.
pub(crate) struct Progress {
    total: usize,
    done: usize,
    start: Instant,
}

impl Progress {
    /// Begins with `total` steps ahead.
    pub(crate) fn new(total: usize) -> Self {
        Self { total, done: 0, start: Instant::now() }
    }

    /// Seconds since the first step.
    pub(crate) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Does the next step, saying before and after what it is.
    ///
    /// `work` returns what is worth adding to the line, e.g. "already there"; it may be empty.
    pub(crate) fn step<E>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<String, E>,
    ) -> Result<String, E> {
        self.done += 1;
        let label = format!("[{}/{}] {name}", self.done, self.total);
        let start = Instant::now();
        let outcome = with_ticker(&label, start, work);
        let seconds = start.elapsed().as_secs_f64();
        match &outcome {
            Ok(note) if note.is_empty() => println!("{label}: {seconds:.1} s"),
            Ok(note) => println!("{label}: {note}, {seconds:.1} s"),
            Err(_) => println!("{label}: FAILED after {seconds:.1} s"),
        }
        outcome
    }
}

/// Does `work` while another thread shows that it goes on.
fn with_ticker<T>(label: &str, start: Instant, work: impl FnOnce() -> T) -> T {
    let live = std::io::stdout().is_terminal();
    let interval = if live { Duration::from_secs(1) } else { QUIET_INTERVAL };
    thread::scope(|scope| {
        let (stop, stopped) = mpsc::channel::<()>();
        scope.spawn(move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let seconds = start.elapsed().as_secs();
                if live {
                    print!("\r{label} … {seconds} s");
                } else {
                    println!("{label} … {seconds} s");
                }
                // Nobody is helped by a progress line's failure.
                let _ = std::io::stdout().flush();
            }
            if live {
                print!("\r\x1b[2K");
            }
        });
        let result = work();
        drop(stop);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::Progress;

    #[test]
    fn a_step_hands_its_outcome_on() {
        let mut progress = Progress::new(2);
        assert_eq!(progress.step("good", || Ok::<_, ()>("fine".to_owned())), Ok("fine".to_owned()));
        assert_eq!(progress.step("bad", || Err::<String, _>("why")), Err("why"));
        assert_eq!(progress.done, 2);
        assert!(progress.seconds() >= 0.0);
    }
}
