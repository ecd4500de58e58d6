"""The Open Inference Protocol's names of dtypes."""

STRINGS = "object"
"""numpy name of a dtype whose elements are Python strings, as ONNX Runtime takes them."""

DATATYPES = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64", "int8": "INT8",
    "int16": "INT16", "int32": "INT32", "int64": "INT64", "float16": "FP16", "float32": "FP32", "float64": "FP64",
    STRINGS: "BYTES",
}  # fmt: skip
"""By numpy name."""
