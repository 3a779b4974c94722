//! The functions of the proxy that the filter calls, none of which can panic: whatever status is not "ok" reads as absent.
//!
//! The SDK's `hostcalls` panic on each status that they do not expect, such as what Envoy answers for a function that
//! `capabilityRestrictionConfig` leaves out.

use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};
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

pub(super) fn set_tick_period(milliseconds: u32) {
    unsafe { proxy_set_tick_period_milliseconds(milliseconds) };
}

/// The parts of `path` have zero bytes between them.
pub(super) fn property(path: &str) -> Option<Vec<u8>> {
    take(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

pub(super) fn buffer(kind: BufferType, most: usize) -> Option<Vec<u8>> {
    take(|data, size| unsafe { proxy_get_buffer_bytes(kind, 0, most, data, size) })
}

pub(super) fn request_header(name: &str) -> Option<Vec<u8>> {
    let map = MapType::HttpRequestHeaders;
    take(|data, size| unsafe {
        proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, size)
    })
}

pub(super) fn remove_request_header(name: &str) {
    let map = MapType::HttpRequestHeaders;
    unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) };
}

pub(super) fn set_request_header(name: &str, value: &str) {
    let (map, at) = (MapType::HttpRequestHeaders, value.as_ptr());
    unsafe { proxy_replace_header_map_value(map, name.as_ptr(), name.len(), at, value.len()) };
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

pub(super) fn define_counter(name: &str) -> Option<u32> {
    let mut id = 0;
    let kind = MetricType::Counter;
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id) };
    (status == OK).then_some(id)
}

pub(super) fn count(id: u32, by: u32) {
    unsafe { proxy_increment_metric(id, i64::from(by)) };
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
