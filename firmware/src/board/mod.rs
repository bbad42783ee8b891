//! Boards: each module has `start`, which gives what the board has.

#[cfg(any(
    all(feature = "board-mps2", feature = "board-mps3-an547"),
    all(feature = "board-mps2", feature = "board-riscv-virt"),
    all(feature = "board-mps3-an547", feature = "board-riscv-virt"),
    not(any(feature = "board-mps2", feature = "board-mps3-an547", feature = "board-riscv-virt")),
))]
compile_error!("choose one board: --features board-mps2, board-mps3-an547 or board-riscv-virt");

#[cfg(any(feature = "board-mps2", feature = "board-mps3-an547"))]
mod cmsdk;
#[cfg(feature = "board-mps2")]
mod mps2;
#[cfg(feature = "board-mps3-an547")]
mod mps3_an547;
mod register;
#[cfg(feature = "board-riscv-virt")]
mod riscv_virt;

/// What a board has.
pub struct Board<Pin, Link, Receiver, Clock> {
    /// Says that the program is busy.
    pub busy: Pin,
    /// The transmitting half of the UART.
    pub link: Link,
    /// Its receiving half.
    pub receiver: Receiver,
    /// Says the time.
    pub clock: Clock,
}

#[cfg(feature = "board-mps2")]
pub use mps2::start;
#[cfg(feature = "board-mps3-an547")]
pub use mps3_an547::start;
#[cfg(feature = "board-riscv-virt")]
pub use riscv_virt::start;
