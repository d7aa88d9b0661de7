"""What is read from a server's `/metrics`."""

from __future__ import annotations

import pytest

from executor.engines.base import EngineCounters
from executor.engines.capacity import Capacity
from executor.servers.metrics import read_capacity, read_counters

TEXT = r"""# HELP vllm:prompt_tokens_total Number of prefill tokens processed.
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0",model_name="a \"quoted\" }, name"} 120.0
vllm:prompt_tokens_total{engine="1",model_name="b"} 3.0
# HELP vllm:prompt_tokens_created Number of prefill tokens processed.
# TYPE vllm:prompt_tokens_created gauge
vllm:prompt_tokens_created{engine="0",model_name="a"} 1.7e+09
vllm:prompt_tokens_cached_total{engine="0"} 2.0
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0"} 1.5e+06
vllm:num_preemptions_total{engine="0"} 1.0
vllm:request_success_total{engine="0",finished_reason="stop"} 4.0
vllm:request_success_total{engine="0",finished_reason="length"} 2.0
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",cpu="a, b",num_gpu_blocks="10"} 1.0
python_info{implementation="CPython"} 1.0
"""


def test_counts_of_all_engines_are_added() -> None:
    assert read_counters(TEXT) == EngineCounters(123, 2, 1_500_000, 1, 6)
    assert read_counters("") == EngineCounters()


def test_the_cache_says_how_many_tokens_a_server_holds() -> None:
    assert read_capacity(TEXT, 100) == Capacity(256, 160)
    unknown = TEXT.replace('num_gpu_blocks="10"', 'num_gpu_blocks="None"')
    assert read_capacity(unknown, 100) == Capacity(256, 256 * 100)


def test_a_page_without_metrics_has_no_counts_and_a_broken_line_is_an_error() -> None:
    assert read_counters("<html> vllm:prompt_tokens_total 3 </html>") == EngineCounters()
    with pytest.raises(ValueError, match="could not convert"):
        read_counters("vllm:prompt_tokens_total{} three\n")
