//! What a mesh can be asked for while it runs: one request and one answer, a line of JSON each, over a socket in its folder.

use super::control_plane::ControlPlane;
use super::run_path;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

/// The socket, below the mesh's folder.
pub const SOCKET: &str = "control.sock";
/// How long a caller waits for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(150);

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// End istiod, start it again with these variables besides its own, and wait until it takes work.
    RestartIstiod {
        /// Names and values.
        environment: BTreeMap<String, String>,
    },
}

/// What came of it: nothing to say, or what went wrong.
type Answer = Result<(), String>;

/// Answers requests, and returns with what was said last when a part of the control plane has ended by itself.
pub async fn serve(control_plane: &mut ControlPlane) -> Result<String> {
    let listener =
        UnixListener::bind(run_path(SOCKET)).context("could not open the control socket")?;
    loop {
        let (stream, _) = tokio::select! {
            ended = control_plane.first_to_end() => return Ok(ended),
            accepted = listener.accept() => accepted?,
        };
        let mut stream = tokio::io::BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let answer: Answer = match serde_json::from_str(&line) {
            Ok(Request::RestartIstiod { environment }) => control_plane
                .restart_istiod(&environment)
                .await
                .map_err(|error| format!("{error:#}")),
            Err(error) => Err(error.to_string()),
        };
        let answer = serde_json::to_string(&answer)? + "\n";
        // A caller that has gone needs no answer.
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

/// Asks the mesh whose socket this is.
pub fn ask(socket: &Path, request: &Request) -> Result<()> {
    let mut stream = UnixStream::connect(socket).context("the mesh takes no requests")?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    writeln!(stream, "{}", serde_json::to_string(request)?)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    match serde_json::from_str::<Answer>(&line).context("the mesh gave no answer")? {
        Ok(()) => Ok(()),
        Err(problem) => bail!("the mesh could not do it: {problem}"),
    }
}
