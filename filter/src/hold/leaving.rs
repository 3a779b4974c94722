//! Letting requests go, a few at a time.
//!
//! The proxy runs what a call into the filter asked for when that call returns. A request that then ends at once, as the 502 of
//! `block_all` makes it, is taken off the filter by another call, and the proxy goes on with the next request inside of that one:
//! what goes on together piles up on its stack.

use super::{Ending, Holds, Place, ending, wait::Held};
use crate::envoy::Envoy;
use std::collections::VecDeque;

/// How many requests go on in one call into the filter.
pub(crate) const MOST_AT_ONCE: usize = 32;

/// In how many milliseconds the next ones follow.
pub(super) const NEXT: u64 = 1;

/// Requests that waited together and whose ending is decided.
pub(super) struct Leaving {
    place: Place,
    ending: Ending,
    streams: VecDeque<Held>,
}

impl Leaving {
    pub(super) fn new(place: Place, streams: Vec<Held>, ending: Ending) -> Self {
        Self {
            place,
            ending,
            streams: streams.into(),
        }
    }
}

impl Holds {
    /// Lets go those whose hold has ended, as many as there is `room` for.
    pub(crate) fn let_go(&mut self, envoy: &dyn Envoy, room: &mut usize) {
        while *room > 0
            && let Some(mut leaving) = self.leaving.pop_front()
        {
            self.let_some_go(envoy, &mut leaving, room);
            if !leaving.streams.is_empty() {
                self.leaving.push_front(leaving);
            }
        }
    }

    fn let_some_go(&mut self, envoy: &dyn Envoy, leaving: &mut Leaving, room: &mut usize) {
        let now = envoy.now();
        let some = leaving.streams.len().min(*room);
        *room = room.saturating_sub(some);
        let Leaving { place, ending, .. } = leaving;
        let mut refused = false;
        for held in leaving.streams.drain(..some) {
            self.forget(&held);
            let went = self.resume(envoy, place, &held, *ending);
            refused |= *ending == Ending::Ready && went == Ending::NotInstalled;
            ending::tell_one(envoy, place, held.age(now), went);
        }
        // Others may have been promised a replay.
        if refused {
            self.settle(envoy, place.key, Ending::NotInstalled);
            self.tell_operator(envoy, place, Ending::NotInstalled);
        }
    }

    /// Takes out a request whose hold has ended, but which is not on its way yet.
    pub(super) fn take_leaving(&mut self, stream: u32) -> Option<(Place, Held)> {
        self.leaving.iter_mut().find_map(|leaving| {
            let mut streams = leaving.streams.iter();
            let index = streams.position(|held| held.stream == stream)?;
            let held = leaving.streams.remove(index)?;
            Some((leaving.place.clone(), held))
        })
    }
}
