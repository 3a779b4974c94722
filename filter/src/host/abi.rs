//! The functions of the proxy that the filter calls, none of which can panic: whatever status is not "ok" reads as absent.
//!
//! The SDK's `hostcalls` panic on each status that they do not expect, such as what Envoy answers for a function that
//! `capabilityRestrictionConfig` leaves out.

use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType, StreamType};
use std::ptr::null_mut;

const OK: u32 = 0;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: LogLevel, message: *const u8, length: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(now: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_length: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_buffer_bytes(
        kind: BufferType,
        start: usize,
        most: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_value(
        map: MapType,
        name: *const u8,
        name_length: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: MapType, name: *const u8, name_length: usize) -> u32;
    fn proxy_replace_header_map_value(
        map: MapType,
        name: *const u8,
        name_length: usize,
        value: *const u8,
        value_length: usize,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_length: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_length: usize,
        value: *const u8,
        value_length: usize,
        cas: u32,
    ) -> u32;
    fn proxy_define_metric(
        kind: MetricType,
        name: *const u8,
        name_length: usize,
        id: *mut u32,
    ) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_continue_stream(stream: StreamType) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_length: usize,
        arguments: *const u8,
        arguments_length: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_length: usize,
        headers: *const u8,
        headers_length: usize,
        body: *const u8,
        body_length: usize,
        trailers: *const u8,
        trailers_length: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
}

// SAFETY of every call below: each pointer is that of a borrow that outlives the call, with its length; the proxy copies what it
// reads and keeps no pointer.

pub(super) fn log(level: LogLevel, message: &str) {
    unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

/// Since 1970; 0 where the proxy does not tell.
pub(super) fn nanoseconds() -> u64 {
    let mut now = 0;
    unsafe { proxy_get_current_time_nanoseconds(&mut now) };
    now
}

/// True where the proxy takes it.
pub(super) fn set_tick_period(milliseconds: u32) -> bool {
    unsafe { proxy_set_tick_period_milliseconds(milliseconds) == OK }
}

/// The parts of `path` have zero bytes between them.
pub(super) fn property(path: &str) -> Option<Vec<u8>> {
    take(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

pub(super) fn buffer(kind: BufferType, most: usize) -> Option<Vec<u8>> {
    take(|data, size| unsafe { proxy_get_buffer_bytes(kind, 0, most, data, size) })
}

/// The first value of a header; nothing where it is empty.
pub(super) fn header(map: MapType, name: &str) -> Option<Vec<u8>> {
    take(|data, size| unsafe {
        proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, size)
    })
}

pub(super) fn has_request_header(name: &str) -> bool {
    let map = MapType::HttpRequestHeaders;
    let mut status = OK;
    take(|data, size| {
        status = unsafe { proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, size) };
        status
    });
    status == OK
}

pub(super) fn remove_request_header(name: &str) {
    let map = MapType::HttpRequestHeaders;
    unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) };
}

/// True where the proxy set it.
pub(super) fn set_request_header(name: &str, value: &str) -> bool {
    let (map, at) = (MapType::HttpRequestHeaders, value.as_ptr());
    let status =
        unsafe { proxy_replace_header_map_value(map, name.as_ptr(), name.len(), at, value.len()) };
    status == OK
}

/// The value, and the number of its last write, which is 0 for one that nobody wrote.
pub(super) fn shared_data(key: &str) -> (Option<Vec<u8>>, u32) {
    let mut cas = 0;
    let value = take(|data, size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &mut cas)
    });
    (value, cas)
}

/// True where the value was written; with a `cas` of 0 whoever wrote it last.
pub(super) fn set_shared_data(key: &str, value: &[u8], cas: u32) -> bool {
    let at = value.as_ptr();
    unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), at, value.len(), cas) == OK }
}

pub(super) fn define_metric(kind: MetricType, name: &str) -> Option<u32> {
    let mut id = 0;
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id) };
    (status == OK).then_some(id)
}

pub(super) fn count(id: u32, by: u32) {
    unsafe { proxy_increment_metric(id, i64::from(by)) };
}

pub(super) fn record(id: u32, value: u64) {
    unsafe { proxy_record_metric(id, value) };
}

/// Has the calls that follow concern this context. False where there is none.
pub(super) fn set_effective_context(context: u32) -> bool {
    unsafe { proxy_set_effective_context(context) == OK }
}

/// Lets the paused request go on, once the filter returns. False where the proxy has no such function.
pub(super) fn continue_request() -> bool {
    unsafe { proxy_continue_stream(StreamType::HttpRequest) == OK }
}

/// Has the proxy choose the request's route anew. False where it does not.
pub(super) fn clear_route_cache() -> bool {
    call_foreign_function("clear_route_cache") == OK
}

/// Whether the proxy looks for functions that are not of the ABI: it says of one that nobody has that it found none.
pub(super) fn has_foreign_functions() -> bool {
    const NOT_FOUND: u32 = 1;
    call_foreign_function("lazyload_is_there_any") == NOT_FOUND
}

fn call_foreign_function(name: &str) -> u32 {
    let mut status = OK;
    take(|data, size| {
        let none = std::ptr::null();
        status =
            unsafe { proxy_call_foreign_function(name.as_ptr(), name.len(), none, 0, data, size) };
        status
    });
    status
}

/// Starts an HTTP call without a body, and returns its token.
pub(super) fn http_call(
    cluster: &str,
    headers: &[(&str, &str)],
    timeout_milliseconds: u32,
) -> Result<u32, u32> {
    let (cluster_at, headers, trailers) = (cluster.as_ptr(), pairs(headers), pairs(&[]));
    let mut token = 0;
    let status = unsafe {
        proxy_http_call(
            cluster_at,
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            std::ptr::null(),
            0,
            trailers.as_ptr(),
            trailers.len(),
            timeout_milliseconds,
            &mut token,
        )
    };
    if status == OK { Ok(token) } else { Err(status) }
}

/// A map as the ABI has it: how many pairs, the lengths of each, then each name and value with a zero byte after it.
fn pairs(map: &[(&str, &str)]) -> Vec<u8> {
    let length = |text: usize| u32::try_from(text).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = length(map.len()).to_vec();
    for (name, value) in map {
        bytes.extend(length(name.len()));
        bytes.extend(length(value.len()));
    }
    for text in map.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// What the proxy hands over: `ask` has it say where, and its status. Nothing where that is nothing, or empty.
fn take(ask: impl FnOnce(&mut *mut u8, &mut usize) -> u32) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    if ask(&mut data, &mut size) != OK || data.is_null() {
        return None;
    }
    // SAFETY: `data` is what the SDK's `proxy_on_memory_allocate` gave the proxy for `size` bytes, a boxed slice of just that
    // size, which the proxy filled and keeps no more.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}
