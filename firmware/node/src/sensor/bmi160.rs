//! BMI160: acceleration and angular rate on three axes each, on SPI, 100 times a second. Its driver cannot set up an interrupt
//! pin, so the chip's status says when there is a new row.

use bmi160::interface::SpiInterface;
use bmi160::{
    AccelerometerPowerMode, AccelerometerRange, Bmi160, Error, GyroscopePowerMode, GyroscopeRange, SensorSelector,
};
use embedded_hal::delay::DelayNs;
use embedded_hal::spi::SpiDevice;

use crate::error::SensorError;
use crate::sensor::{Reading, Sensor};

const CHIP_ID: u8 = 0xd1;
/// What the accelerometer and the gyroscope take to start, at most, by the data sheet.
const START_MS: [u32; 2] = [4, 80];

/// The inertial unit. A row is acceleration, then angular rate, x, y and z each, in 16 bits.
pub struct Imu<S> {
    chip: Bmi160<SpiInterface<S>>,
}

impl<S: SpiDevice> Imu<S> {
    /// Starts accelerometer and gyroscope.
    ///
    /// # Errors
    /// [`SensorError::Spi`], or [`SensorError::WrongDevice`] where no BMI160 answers.
    pub fn new(
        spi: S,
        accel_range: AccelerometerRange,
        gyro_range: GyroscopeRange,
        delay: &mut impl DelayNs,
    ) -> Result<Self, SensorError> {
        let mut chip = Bmi160::new_with_spi(spi);
        // The first access after power-up switches the chip from I2C to SPI.
        chip.chip_id().map_err(sensor_error)?;
        if chip.chip_id().map_err(sensor_error)? != CHIP_ID {
            return Err(SensorError::WrongDevice);
        }
        let [accel_ms, gyro_ms] = START_MS;
        chip.set_accel_power_mode(AccelerometerPowerMode::Normal).map_err(sensor_error)?;
        delay.delay_ms(accel_ms);
        chip.set_gyro_power_mode(GyroscopePowerMode::Normal).map_err(sensor_error)?;
        delay.delay_ms(gyro_ms);
        chip.set_accel_range(accel_range).map_err(sensor_error)?;
        chip.set_gyro_range(gyro_range).map_err(sensor_error)?;
        Ok(Self { chip })
    }
}

impl<S: SpiDevice> Sensor for Imu<S> {
    type Sample = i16;

    fn row_len(&self) -> usize {
        6
    }

    fn read(&mut self, row: &mut [i16]) -> Result<Reading, SensorError> {
        let status = self.chip.status().map_err(sensor_error)?;
        if !(status.accel_data_ready && status.gyro_data_ready) {
            return Ok(Reading::Pending);
        }
        let data = self.chip.data(SensorSelector::new().accel().gyro()).map_err(sensor_error)?;
        let (accel, gyro) = data.accel.zip(data.gyro).ok_or(SensorError::Refused)?;
        row.copy_from_slice(&[accel.x, accel.y, accel.z, gyro.x, gyro.y, gyro.z]);
        Ok(Reading::Row)
    }
}

fn sensor_error<E: embedded_hal::spi::Error>(why: Error<E>) -> SensorError {
    match why {
        Error::Comm(why) => SensorError::Spi(why.kind()),
        Error::InvalidInputData => SensorError::Refused,
    }
}
