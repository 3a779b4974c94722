/// What is known of a host for as long as its claim lasts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Standing {
    /// A worker reports it; its verdict is to come.
    Awaiting,
    /// Its route is about to come: requests wait for it.
    Hold,
    /// Requests go on at once: the controller said so, or the route did not come though requests waited for it.
    Pass,
    /// The report did not reach the controller: requests go on at once.
    Unreported,
}

impl Standing {
    pub(super) fn decode(byte: u8) -> Option<Self> {
        [Self::Awaiting, Self::Hold, Self::Pass, Self::Unreported]
            .into_iter()
            .find(|standing| *standing as u8 == byte)
    }
}
