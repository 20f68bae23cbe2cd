"""What is said, and when: loads, registers and DLMS/COSEM bytes."""
