//! LIS3DH: acceleration on three axes, on I2C, with INT1 as its data-ready pin.

use embedded_hal::digital::{Error as _, InputPin};
use embedded_hal::i2c::I2c;
use lis3dh::accelerometer::RawAccelerometer;
use lis3dh::{Configuration, DataRate, Error, IrqPin1Config, Lis3dh, Lis3dhI2C, Mode, Range, SlaveAddr};

use crate::error::SensorError;
use crate::sensor::{Reading, Sensor};

/// The accelerometer. A row is x, y and z as the chip has them: 12 bits, left-aligned in 16.
pub struct Accelerometer<I, P> {
    chip: Lis3dh<Lis3dhI2C<I>>,
    ready: P,
}

impl<I: I2c, P: InputPin> Accelerometer<I, P> {
    /// Sets the chip up in its mode of high resolution; `ready` is wired to INT1.
    ///
    /// # Errors
    /// [`SensorError::I2c`], or [`SensorError::WrongDevice`] where no LIS3DH answers.
    pub fn new(i2c: I, address: SlaveAddr, rate: DataRate, range: Range, ready: P) -> Result<Self, SensorError> {
        let settings = Configuration { mode: Mode::HighResolution, datarate: rate, ..Configuration::default() };
        let mut chip = Lis3dh::new_i2c_with_config(i2c, address, settings).map_err(sensor_error)?;
        chip.set_range(range).map_err(sensor_error)?;
        chip.configure_interrupt_pin(IrqPin1Config { zyxda_en: true, ..Default::default() }).map_err(sensor_error)?;
        Ok(Self { chip, ready })
    }
}

impl<I: I2c, P: InputPin> Sensor for Accelerometer<I, P> {
    type Sample = i16;

    fn row_len(&self) -> usize {
        3
    }

    fn read(&mut self, row: &mut [i16]) -> Result<Reading, SensorError> {
        if self.ready.is_low().map_err(|why| SensorError::Pin(why.kind()))? {
            return Ok(Reading::Pending);
        }
        let sample = self.chip.accel_raw().map_err(|why| sensor_error(why.into_cause()))?;
        row.copy_from_slice(&[sample.x, sample.y, sample.z]);
        Ok(Reading::Row)
    }
}

fn sensor_error<E: embedded_hal::i2c::Error, P>(why: Error<E, P>) -> SensorError {
    match why {
        Error::Bus(why) => SensorError::I2c(why.kind()),
        Error::WrongAddress => SensorError::WrongDevice,
        _ => SensorError::Refused,
    }
}
