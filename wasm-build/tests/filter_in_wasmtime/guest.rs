//! The module's memory, as host functions reach it.

use crate::state::State;
use wasmtime::{Caller, Extern, Memory, Result, bail, error::Context as _};

fn memory(caller: &mut Caller<'_, State>) -> Result<Memory> {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory),
        _ => bail!("the module exports no memory"),
    }
}

pub fn read(caller: &mut Caller<'_, State>, at: u32, length: u32) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    memory(caller)?.read(&caller, at as usize, &mut bytes)?;
    Ok(bytes)
}

pub fn read_text(caller: &mut Caller<'_, State>, at: u32, length: u32) -> Result<String> {
    String::from_utf8(read(caller, at, length)?).context("the module passed text that is not UTF-8")
}

pub fn write(caller: &mut Caller<'_, State>, at: u32, bytes: &[u8]) -> Result<()> {
    Ok(memory(caller)?.write(caller, at as usize, bytes)?)
}

/// Hands bytes to the module in memory that it allocates, and says where they are.
pub fn give(caller: &mut Caller<'_, State>, bytes: &[u8], data: u32, size: u32) -> Result<()> {
    let length = u32::try_from(bytes.len())?;
    // Envoy allocates nothing for an empty value.
    let at = if bytes.is_empty() {
        0
    } else {
        let Some(Extern::Func(allocate)) = caller.get_export("proxy_on_memory_allocate") else {
            bail!("the module exports no proxy_on_memory_allocate");
        };
        allocate
            .typed::<u32, u32>(&caller)?
            .call(&mut *caller, length)?
    };
    write(caller, at, bytes)?;
    write(caller, data, &at.to_le_bytes())?;
    write(caller, size, &length.to_le_bytes())
}
