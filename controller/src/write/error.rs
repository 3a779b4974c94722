//! Why a write failed.

use std::{future::Future, time::Duration};

use kube::core::Status;
use thiserror::Error;

/// Longest time that one call to the API server may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a call to the API server did not do what it was to do.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The object, or its namespace, is not there (any more).
    #[error("not found: {}", .0.message)]
    Gone(Box<Status>),
    /// Another object has taken the name, or the object is on its way out or another controller's by now.
    #[error("deleted or given away meanwhile")]
    Replaced,
    /// Somebody else changed or made the object meanwhile.
    #[error("conflict with another writer: {}", .0.message)]
    Conflict(Box<Status>),
    /// The API server, or a validating webhook such as istiod's, refuses the object; or RBAC does.
    #[error("refused: {}", .0.message)]
    Refused(Box<Status>),
    /// No answer, or one that says to try later.
    #[error("the API server did not do it: {0}")]
    Unavailable(#[source] kube::Error),
    /// No answer in time.
    #[error("no answer from the API server within {} s", CALL_TIMEOUT.as_secs())]
    Timeout,
    /// The object still differs after it was written: another writer or webhook insists on something else.
    #[error("the object differs from what was written: another controller or a webhook changes it")]
    NotKept,
    /// An object cannot be made into JSON.
    #[error("the object cannot be serialized: {0}")]
    Serialize(#[from] serde_json::Error),
}

impl WriteError {
    /// Every label of [`Self::metric_label`].
    pub const LABELS: [&'static str; 8] = [
        "gone",
        "replaced",
        "conflict",
        "refused",
        "unavailable",
        "timeout",
        "not_kept",
        "serialize",
    ];

    /// The error as the metric's label.
    pub fn metric_label(&self) -> &'static str {
        match self {
            Self::Gone(_) => "gone",
            Self::Replaced => "replaced",
            Self::Conflict(_) => "conflict",
            Self::Refused(_) => "refused",
            Self::Unavailable(_) => "unavailable",
            Self::Timeout => "timeout",
            Self::NotKept => "not_kept",
            Self::Serialize(_) => "serialize",
        }
    }
}

impl From<kube::Error> for WriteError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => match status.code {
                404 => Self::Gone(status),
                409 => Self::Conflict(status),
                400 | 403 | 422 => Self::Refused(status),
                _ => Self::Unavailable(kube::Error::Api(status)),
            },
            error => Self::Unavailable(error),
        }
    }
}

/// Waits for a call to the API server, but not for ever.
pub(super) async fn call<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, WriteError> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(WriteError::Timeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_error(code: u16) -> WriteError {
        kube::Error::Api(Status::failure("words", "Reason").with_code(code).boxed()).into()
    }

    #[test]
    fn refusals_are_told_from_failures() {
        for (code, label) in [
            (404, "gone"),
            (409, "conflict"),
            (403, "refused"),
            (422, "refused"),
            (429, "unavailable"),
            (500, "unavailable"),
        ] {
            assert_eq!(mk_error(code).metric_label(), label, "{code}");
            assert!(WriteError::LABELS.contains(&label));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_ends() {
        let never = std::future::pending::<kube::Result<()>>();
        assert_eq!(call(never).await.unwrap_err().metric_label(), "timeout");
    }
}
