//! The target of a gRPC call as Envoy reads it: a serialized `envoy.config.core.v3.GrpcService`.

/// Longest text that fits a field here, in bytes: the SDK takes the target as a `str`, and a protobuf length above 127
/// is not UTF-8.
pub(crate) const MAX_FIELD_BYTES: usize = 125;

const MAX_MESSAGE_BYTES: usize = 127;
const ENVOY_GRPC: u8 = 1;
const CLUSTER_NAME: u8 = 1;
const AUTHORITY: u8 = 2;

/// `GrpcService { envoy_grpc { cluster_name, authority } }`, or nothing where a text is longer than [`MAX_FIELD_BYTES`].
///
/// Written out by hand: the generated type would bring Envoy's whole API into the module for these two fields.
pub(crate) fn encode(cluster_name: &str, authority: &str) -> Option<String> {
    let cluster_name = field(CLUSTER_NAME, cluster_name)?;
    let authority = field(AUTHORITY, authority)?;
    let both = format!("{cluster_name}{authority}");
    if both.len() <= MAX_MESSAGE_BYTES {
        return field(ENVOY_GRPC, &both);
    }
    // A message field that stands twice is merged, so each half may have a length of its own.
    let first = field(ENVOY_GRPC, &cluster_name)?;
    let second = field(ENVOY_GRPC, &authority)?;
    Some(format!("{first}{second}"))
}

fn field(number: u8, content: &str) -> Option<String> {
    const LENGTH_DELIMITED: u8 = 2;
    let length = u8::try_from(content.len()).ok().filter(u8::is_ascii)?;
    let tag = number << 3 | LENGTH_DELIMITED;
    Some(format!(
        "{}{}{content}",
        char::from(tag),
        char::from(length)
    ))
}

#[cfg(test)]
mod tests;
