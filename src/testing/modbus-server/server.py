"""A Modbus RTU server that is not ours: pymodbus on a terminal. Arguments: terminal, unit id, baud rate."""
import asyncio
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.server.async_io import ModbusSerialServer
from pymodbus.transaction import ModbusRtuFramer

REGISTERS = 100


async def main(terminal, unit, baud_rate):
    """Serves until it is killed; says `ready` once the terminal is open."""
    registers = ModbusSlaveContext(hr=ModbusSequentialDataBlock(0, list(range(REGISTERS))), zero_mode=True)
    context = ModbusServerContext(slaves={unit: registers}, single=False)
    identity = ModbusDeviceIdentification(info_name={"VendorName": "pymodbus", "ProductCode": "PM"})
    server = ModbusSerialServer(
        context, ModbusRtuFramer, identity, port=terminal, baudrate=baud_rate, ignore_missing_slaves=True
    )
    await server.start()
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
