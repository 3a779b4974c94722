//! The host functions that the filter uses, with the meaning that proxy-wasm-cpp-host gives them.

use crate::{
    guest::{give, read, read_text, write},
    state::{Call, Paused, Probe, State},
    vm::ROOT,
};
use wasmtime::{Caller, Linker, Module, Result, Val, bail, error::Context as _};

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const CAS_MISMATCH: u32 = 8;
const REQUEST_HEADERS: u32 = 0;
const HTTP_CALL_RESPONSE_HEADERS: u32 = 6;
const HTTP_REQUEST: u32 = 0;
const GRPC_RECEIVE_BUFFER: u32 = 5;
const PLUGIN_CONFIGURATION: u32 = 7;

type Host<'a> = Caller<'a, State>;

pub fn define(linker: &mut Linker<State>) -> Result<()> {
    node(linker)?;
    headers(linker)?;
    shared_data(linker)?;
    grpc(linker)?;
    holds(linker)?;
    metrics(linker)?;
    wasi(linker)
}

/// Puts a function that does nothing but answer `status` in the place of one that the module imports.
pub fn refuse(
    linker: &mut Linker<State>,
    module: &Module,
    function: &str,
    status: i32,
) -> Result<()> {
    let import = module.imports().find(|import| import.name() == function);
    let of_type = import.and_then(|import| import.ty().func().cloned());
    let of_type = of_type.context("no such import")?;
    linker.allow_shadowing(true);
    linker.func_new("env", function, of_type, move |_, _, results| {
        results.fill(Val::I32(status));
        Ok(())
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

fn node(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_log",
        |mut host: Host<'_>, level: u32, at: u32, length: u32| {
            let line = read_text(&mut host, at, length)?;
            host.data_mut().log.push((level, line));
            Result::Ok(OK)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_current_time_nanoseconds",
        |mut host: Host<'_>, at: u32| {
            let now = host.data().nanoseconds.to_le_bytes();
            write(&mut host, at, &now)?;
            Result::Ok(OK)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_tick_period_milliseconds",
        |mut host: Host<'_>, period: u32| {
            let state = host.data_mut();
            state.tick_milliseconds = period;
            state.tick_at = state.nanoseconds + u64::from(period) * 1_000_000;
            OK
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_effective_context",
        |mut host: Host<'_>, context: u32| {
            if !host.data().contexts.contains(&context) {
                return BAD_ARGUMENT;
            }
            host.data_mut().context = context;
            OK
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |mut host: Host<'_>, path: u32, path_length: u32, data: u32, size: u32| {
            let path = read(&mut host, path, path_length)?;
            match host.data().properties.get(&path).cloned() {
                Some(value) => give(&mut host, &value, data, size).map(|()| OK),
                None => Result::Ok(NOT_FOUND),
            }
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut host: Host<'_>, kind: u32, start: u32, most: u32, data: u32, size: u32| {
            let buffer = match kind {
                GRPC_RECEIVE_BUFFER => host.data().answer.clone(),
                PLUGIN_CONFIGURATION => host.data().configuration.clone(),
                other => bail!("the module asked for buffer {other}"),
            };
            let rest = buffer.get(start as usize..).unwrap_or_default();
            let part = rest.get(..most as usize).unwrap_or(rest);
            give(&mut host, part, data, size).map(|()| OK)
        },
    )?;
    Ok(())
}

fn headers(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |mut host: Host<'_>, map: u32, name: u32, name_length: u32, data: u32, size: u32| {
            let name = read(&mut host, name, name_length)?;
            let first = match map {
                HTTP_CALL_RESPONSE_HEADERS if name == b":status" => {
                    Some(host.data().probe_status.clone())
                }
                _ => {
                    check_map(map)?;
                    let headers = host.data_mut().request_headers().iter();
                    let mut of_name = headers.filter(|(key, _)| *key == name);
                    of_name.next().map(|(_, value)| value.clone())
                }
            };
            match first {
                Some(value) => give(&mut host, &value, data, size).map(|()| OK),
                None => Result::Ok(NOT_FOUND),
            }
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |mut host: Host<'_>, map: u32, name: u32, name_length: u32| {
            let name = header_name(&mut host, map, name, name_length)?;
            host.data_mut()
                .headers_to_write()?
                .retain(|(key, _)| *key != name);
            Result::Ok(OK)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |mut host: Host<'_>,
         map: u32,
         name: u32,
         name_length: u32,
         value: u32,
         value_length: u32| {
            let name = header_name(&mut host, map, name, name_length)?;
            let value = read(&mut host, value, value_length)?;
            // The first value changes, further ones stay: what the ABI promises, and no more.
            let headers = host.data_mut().headers_to_write()?;
            match headers.iter_mut().find(|(key, _)| *key == name) {
                Some((_, held)) => *held = value,
                None => headers.push((name, value)),
            }
            Result::Ok(OK)
        },
    )?;
    Ok(())
}

fn header_name(host: &mut Host<'_>, map: u32, name: u32, length: u32) -> Result<Vec<u8>> {
    check_map(map)?;
    read(host, name, length)
}

fn check_map(map: u32) -> Result<()> {
    if map != REQUEST_HEADERS {
        bail!("the module asked for header map {map}");
    }
    Ok(())
}

fn shared_data(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut host: Host<'_>, key: u32, key_length: u32, data: u32, size: u32, cas: u32| {
            let key = read(&mut host, key, key_length)?;
            let shared = host.data().shared.clone();
            let held = shared
                .lock()
                .expect("no test panics with the lock")
                .get(&key)
                .cloned();
            match held {
                Some((value, number)) => {
                    give(&mut host, &value, data, size)?;
                    write(&mut host, cas, &number.to_le_bytes()).map(|()| OK)
                }
                None => Result::Ok(NOT_FOUND),
            }
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |mut host: Host<'_>, key: u32, key_length: u32, value: u32, value_length: u32, cas: u32| {
            let key = read(&mut host, key, key_length)?;
            let value = read(&mut host, value, value_length)?;
            let shared = host.data().shared.clone();
            let mut shared = shared.lock().expect("no test panics with the lock");
            let held = shared.get(&key).map_or(0, |(_, number)| *number);
            if cas != 0 && held != 0 && cas != held {
                return Result::Ok(CAS_MISMATCH);
            }
            shared.insert(key, (value, held + 1));
            Result::Ok(OK)
        },
    )?;
    Ok(())
}

fn grpc(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_grpc_call",
        |mut host: Host<'_>,
         target: u32,
         target_length: u32,
         service: u32,
         service_length: u32,
         method: u32,
         method_length: u32,
         _metadata: u32,
         _metadata_length: u32,
         message: u32,
         message_length: u32,
         timeout_milliseconds: u32,
         token: u32| {
            if host.data().refuse_calls != OK {
                return Result::Ok(host.data().refuse_calls);
            }
            let call = Call {
                target: read(&mut host, target, target_length)?,
                service: read_text(&mut host, service, service_length)?,
                method: read_text(&mut host, method, method_length)?,
                message: read(&mut host, message, message_length)?,
                timeout_milliseconds,
                context: host.data().context,
            };
            host.data_mut().calls.push(call);
            let number = u32::try_from(host.data().calls.len())?;
            write(&mut host, token, &number.to_le_bytes()).map(|()| OK)
        },
    )?;
    Ok(())
}

fn holds(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |mut host: Host<'_>,
         cluster: u32,
         cluster_length: u32,
         headers: u32,
         headers_length: u32,
         _body: u32,
         _body_length: u32,
         _trailers: u32,
         _trailers_length: u32,
         timeout_milliseconds: u32,
         token: u32| {
            if host.data().refuse_probes != OK {
                return Result::Ok(host.data().refuse_probes);
            }
            let probe = Probe {
                cluster: read_text(&mut host, cluster, cluster_length)?,
                headers: read(&mut host, headers, headers_length)?,
                timeout_milliseconds,
                context: host.data().context,
            };
            host.data_mut().probes.push(probe);
            let number = u32::try_from(host.data().probes.len())?;
            write(&mut host, token, &number.to_le_bytes()).map(|()| OK)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |mut host: Host<'_>,
         name: u32,
         name_length: u32,
         _arguments: u32,
         _arguments_length: u32,
         _data: u32,
         _size: u32| {
            let name = read_text(&mut host, name, name_length)?;
            if name != "clear_route_cache" {
                return Result::Ok(NOT_FOUND);
            }
            let context = host.data().context;
            if let Some(paused) = host.data_mut().paused.get_mut(&context) {
                paused.route_cleared = true;
            }
            Result::Ok(OK)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_continue_stream",
        |mut host: Host<'_>, stream: u32| {
            if stream != HTTP_REQUEST {
                return Result::Ok(BAD_ARGUMENT);
            }
            host.data_mut().resume().map(|()| OK)
        },
    )?;
    Ok(())
}

fn metrics(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |mut host: Host<'_>, _kind: u32, name: u32, length: u32, id: u32| {
            let name = read_text(&mut host, name, length)?;
            let number = u32::try_from(host.data().metrics.len())?;
            host.data_mut().metrics.push((name, 0));
            write(&mut host, id, &number.to_le_bytes()).map(|()| OK)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_increment_metric",
        |mut host: Host<'_>, id: u32, by: i64| {
            match host.data_mut().metrics.get_mut(id as usize) {
                Some((_, value)) => *value = value.saturating_add_signed(by),
                None => return NOT_FOUND,
            }
            OK
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_record_metric",
        |mut host: Host<'_>, id: u32, value: u64| {
            if host.data().metrics.get(id as usize).is_none() {
                return NOT_FOUND;
            }
            host.data_mut().histogram.push(value);
            OK
        },
    )?;
    Ok(())
}

impl State {
    /// The headers of the request that calls concern, to be changed.
    fn headers_to_write(&mut self) -> Result<&mut Vec<(Vec<u8>, Vec<u8>)>> {
        let context = self.context;
        if context == ROOT || !self.contexts.contains(&context) {
            bail!("the module writes headers where there is no request: of context {context}");
        }
        if let Some(Paused { resumed: true, .. }) = self.paused.get(&context) {
            bail!("the module writes headers of request {context}, which has gone on");
        }
        self.header_writes += 1;
        Result::Ok(self.request_headers())
    }

    fn resume(&mut self) -> Result<()> {
        let context = self.context;
        if context == ROOT {
            return Result::Ok(());
        }
        match self.paused.get_mut(&context) {
            Some(paused) if !paused.resumed => paused.resumed = true,
            _ => bail!("the module lets request {context} go on, which is not paused"),
        }
        if self.answers_at_once {
            self.ending.push_back(context);
        }
        Result::Ok(())
    }
}

/// What the Rust standard library wants: an empty environment, and somewhere to write before it gives up.
fn wasi(linker: &mut Linker<State>) -> Result<()> {
    const WASI: &str = "wasi_snapshot_preview1";
    linker.func_wrap(WASI, "environ_get", |_: u32, _: u32| OK)?;
    linker.func_wrap(
        WASI,
        "environ_sizes_get",
        |mut host: Host<'_>, count: u32, size: u32| {
            write(&mut host, count, &[0; 4])?;
            write(&mut host, size, &[0; 4]).map(|()| OK)
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_write",
        |_: Host<'_>, _: u32, _: u32, _: u32, _: u32| -> Result<u32> {
            bail!("the module wrote to a file, as a panic does")
        },
    )?;
    linker.func_wrap(WASI, "proc_exit", |_: Host<'_>, code: u32| -> Result<()> {
        bail!("the module exited with {code}")
    })?;
    Ok(())
}
