//! ADS1115: a 16-bit converter on I2C, which samples by its own clock; behind an analog front end such as AD8232 it takes an ECG.

use ads1x1x::ic::{Ads1115, Resolution16Bit};
use ads1x1x::{
    Ads1x1x, ComparatorQueue, DataRate16Bit, Error, FullScaleRange, ModeChangeError, TargetAddr, channel, mode,
};
use embedded_hal::digital::{Error as _, InputPin};
use embedded_hal::i2c::{Error as _, I2c};

use crate::error::SensorError;
use crate::sensor::{Reading, Sensor};

/// Input A0 of the converter, against ground. A row is one sample.
pub struct Converter<I, P> {
    chip: Ads1x1x<I, Ads1115, Resolution16Bit, mode::Continuous>,
    ready: P,
}

impl<I: I2c, P: InputPin> Converter<I, P> {
    /// Starts the converter; `ready` is wired to ALERT/RDY, which goes low for 8 microseconds after each conversion. So it must be a pin
    /// that remembers having been low until it is asked, such as one with an edge detector.
    ///
    /// # Errors
    /// [`SensorError::I2c`]
    pub fn new(
        i2c: I,
        address: TargetAddr,
        rate: DataRate16Bit,
        range: FullScaleRange,
        ready: P,
    ) -> Result<Self, SensorError> {
        let mut chip = Ads1x1x::new_ads1115(i2c, address);
        chip.set_data_rate(rate).map_err(sensor_error)?;
        chip.set_full_scale_range(range).map_err(sensor_error)?;
        chip.use_alert_rdy_pin_as_ready().map_err(sensor_error)?;
        // Without a queue the pin stays off.
        chip.set_comparator_queue(ComparatorQueue::One).map_err(sensor_error)?;
        let mut chip = chip.into_continuous().map_err(|ModeChangeError::I2C(why, _)| SensorError::I2c(why.kind()))?;
        chip.select_channel(channel::SingleA0).map_err(sensor_error)?;
        Ok(Self { chip, ready })
    }
}

impl<I: I2c, P: InputPin> Sensor for Converter<I, P> {
    type Sample = i16;

    fn row_len(&self) -> usize {
        1
    }

    fn read(&mut self, row: &mut [i16]) -> Result<Reading, SensorError> {
        if self.ready.is_high().map_err(|why| SensorError::Pin(why.kind()))? {
            return Ok(Reading::Pending);
        }
        row.copy_from_slice(&[self.chip.read().map_err(sensor_error)?]);
        Ok(Reading::Row)
    }
}

fn sensor_error<E: embedded_hal::i2c::Error>(why: Error<E>) -> SensorError {
    match why {
        Error::I2C(why) => SensorError::I2c(why.kind()),
        Error::InvalidInputData => SensorError::Refused,
    }
}
