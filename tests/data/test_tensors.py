import numpy as np
import pytest

from tfadrec.data.aligned import empty
from tfadrec.data.impressions import Impressions
from tfadrec.data.tensors import as_tensor, gather_from, one_more


def test_a_mapped_array_is_shared(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(40, dtype=np.int32))
    array = np.load(tmp_path / "a.npy", mmap_mode="c")
    tensor = as_tensor(array)
    array[3] = 99
    assert tensor[3].numpy() == 99


def test_a_stretch_of_a_mapped_array_is_shared(tmp_path):
    numbers = np.arange(600, dtype=np.float32).reshape(200, 3)
    np.save(tmp_path / "a.npy", numbers)
    whole = np.asarray(np.load(tmp_path / "a.npy", mmap_mode="c"))
    for begin in (0, 5, 64, 70, 199):
        part = whole[begin:]
        take = gather_from(part)
        part[0, 1] = -begin
        rows = np.arange(len(part))[:2]
        np.testing.assert_array_equal(take(rows), part[rows])
    copy = gather_from(numbers[7:90])
    np.testing.assert_array_equal(copy([0, 82]), numbers[[7, 89]])
    every_other = gather_from(whole[1::2])
    np.testing.assert_array_equal(every_other([3]), whole[[7]])


def test_other_arrays_are_copied():
    wide = np.zeros(4096, np.int64)
    begin = -wide.ctypes.data % 64 // 8
    aligned = wide[begin : begin + 1024]
    locked = aligned[:512]
    locked.flags.writeable = False
    for array in (aligned[1:9], aligned[::2], locked, aligned[:0]):
        tensor = as_tensor(array)
        # TensorFlow ends the process where it meets one that is not aligned.
        assert (tensor + 1).shape == array.shape
    aligned[:] = 7
    assert as_tensor(locked).numpy().tolist() == [7] * 512


def test_rows_that_were_chosen_are_shared():
    def rows(n):
        numbers = np.arange(n)
        labels = {"clicked": numbers.astype(np.float32)}
        wide = {"wide": np.stack([numbers, -numbers], 1)}
        return Impressions(*[numbers] * 4, labels, wide, *[numbers] * 2)

    few = rows(60000)
    some = few.take(np.arange(1, 60000, 2))
    columns = {"ads": some.ads, "wide": some.columns["wide"], **some.labels}
    for name, column in columns.items():
        take = gather_from(column)
        kept = column[7].copy()
        column[7] = 5
        assert (take([7]).numpy() == 5).all(), name
        column[7] = kept
    assert some.columns["wide"].tolist() == few.columns["wide"][1::2].tolist()
    assert some.weights is None


def test_one_row_more_is_there_or_added():
    whole = np.array([[1, 2], [3, 4], [0, 0]], np.int32)
    assert one_more(whole[:-1]) is whole
    for part in (whole[:-2], whole[1:], whole[:-1].copy(), whole[:0]):
        longer = one_more(part)
        assert not np.shares_memory(longer, whole)
        assert longer.tolist() == [*part.tolist(), [0, 0]]
        assert longer.dtype == np.int32


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_an_empty_array_can_be_shared(dtype):
    for count in (1, 5, 4097):
        array = empty(count, dtype)
        tensor = as_tensor(array)
        array[:] = 7
        assert array.shape == (count,)
        assert tensor.numpy().tolist() == [7] * count
