//! The tasks that make up the controller, none of which may end by itself.

use std::io;

use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::RunError;

/// Everything that runs until the signal to stop.
pub struct Tasks {
    /// The report port.
    pub reports: JoinHandle<Result<(), tonic::transport::Error>>,
    /// The admin port.
    pub admin: JoinHandle<io::Result<()>>,
    /// Watches and the writer; each says what it was when it ends.
    pub background: JoinSet<String>,
}

impl Tasks {
    /// Returns at the signal to stop, which counts before anything that ends at the same time: the report port ends because
    /// of it.
    ///
    /// # Errors
    /// If a task ends before, however it does.
    pub async fn until(&mut self, stop: &CancellationToken) -> Result<(), RunError> {
        tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            ended = &mut self.reports => Err(match ended {
                Ok(Err(error)) => RunError::Reports(error),
                Ok(Ok(())) => by_itself("the report port"),
                Err(error) => panicked("the report port", &error),
            }),
            ended = &mut self.admin => Err(match ended {
                Ok(Err(error)) => RunError::Admin(error),
                Ok(Ok(())) => by_itself("the admin port"),
                Err(error) => panicked("the admin port", &error),
            }),
            Some(ended) = self.background.join_next() => Err(match ended {
                Ok(task) => by_itself(&task),
                Err(error) => panicked("a watch or the writer", &error),
            }),
        }
    }

    /// Ends everything.
    pub fn abort(mut self) {
        self.background.abort_all();
        self.admin.abort();
        self.reports.abort();
    }
}

fn by_itself(task: &str) -> RunError {
    RunError::Ended(format!("{task} has ended by itself"))
}

fn panicked(task: &str, error: &JoinError) -> RunError {
    RunError::Ended(format!("{task} broke: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_tasks() -> Tasks {
        Tasks {
            reports: tokio::spawn(std::future::pending()),
            admin: tokio::spawn(std::future::pending()),
            background: JoinSet::new(),
        }
    }

    async fn error_of(mut tasks: Tasks) -> String {
        let stop = CancellationToken::new();
        tasks.until(&stop).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn the_signal_counts_before_the_report_port_that_ends_because_of_it() {
        let stop = CancellationToken::new();
        for _ in 0..64 {
            let mut tasks = mk_tasks();
            tasks.reports = tokio::spawn(async { Ok(()) });
            tokio::task::yield_now().await;
            stop.cancel();
            assert!(tasks.until(&stop).await.is_ok());
        }
    }

    #[tokio::test]
    async fn a_task_that_ends_or_panics_is_an_error() {
        let mut tasks = mk_tasks();
        tasks.background.spawn(async { "the writer".to_owned() });
        assert_eq!(error_of(tasks).await, "the writer has ended by itself");

        let mut tasks = mk_tasks();
        tasks.background.spawn(async { panic!("out of index") });
        assert!(error_of(tasks).await.contains("out of index"));

        let mut tasks = mk_tasks();
        tasks.reports = tokio::spawn(async { panic!("reports") });
        assert!(error_of(tasks).await.starts_with("the report port broke"));

        let mut tasks = mk_tasks();
        tasks.admin = tokio::spawn(async { Ok(()) });
        assert!(
            error_of(tasks)
                .await
                .starts_with("the admin port has ended")
        );
    }
}
