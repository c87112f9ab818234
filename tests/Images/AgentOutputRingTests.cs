using CsCheck;
using Vks.Agent.Containers;

namespace Vks.Tests.Images;

/// <summary>The bytes a container wrote reach the host once, in order, whatever happens between.</summary>
public sealed class AgentOutputRingTests
{
    private const int Capacity = 100;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Each step: 0 writes, 1 reads on, 2 acknowledges, 3 starts over from what was acknowledged, as a restarted host does.</summary>
    [Fact]
    public void Any_order_of_writing_reading_acknowledging_and_replaying_gives_the_same_bytes() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[1, 150]).Array[1, 200].Sample(steps =>
        {
            var ring = new OutputRing(Capacity);
            long written = 0, acknowledged = 0, read = 0;
            foreach ((int what, int size) in steps)
            {
                switch (what)
                {
                    case 0:
                        int put = ring.TryWrite(Bytes(written, size));
                        Assert.Equal(Math.Min(size, Capacity - (written - acknowledged)), put);
                        written += put;
                        break;
                    case 1:
                        var chunk = new byte[size];
                        int got = ring.Read(read, chunk);
                        Assert.Equal(Math.Min(size, written - read), got);
                        Assert.Equal(Bytes(read, got), chunk[..got]);
                        read += got;
                        break;
                    case 2:
                        long upTo = Math.Min(read, acknowledged + size);
                        Assert.True(ring.Release(upTo));
                        acknowledged = upTo;
                        break;
                    default:
                        read = acknowledged;
                        Assert.True(ring.Release(read));
                        break;
                }

                Assert.Equal(written, ring.End);
                Assert.InRange(written - acknowledged, 0, Capacity);
            }
        });

    [Fact]
    public void What_was_acknowledged_or_never_written_cannot_be_asked_for()
    {
        var ring = new OutputRing(Capacity);
        ring.TryWrite(Bytes(0, 50));

        Assert.True(ring.Release(20));
        Assert.False(ring.Release(19));
        Assert.False(ring.Release(51));
        Assert.True(ring.Release(50));
    }

    [Fact]
    public async Task A_writer_waits_for_space_and_a_reader_for_news()
    {
        var ring = new OutputRing(Capacity);
        Task news = ring.WaitForNewsAsync(Token);
        Assert.False(news.IsCompleted);
        Assert.Equal(Capacity, ring.TryWrite(Bytes(0, 200)));
        await news.WaitAsync(TimeSpan.FromSeconds(10), Token);

        Task space = ring.WaitForSpaceAsync(Token);
        Assert.False(space.IsCompleted);
        Assert.True(ring.Release(1));
        await space.WaitAsync(TimeSpan.FromSeconds(10), Token);
        Assert.Equal(1, ring.TryWrite(Bytes(Capacity, 5)));

        ring.Complete();
        Assert.True(ring.IsCompleted);
    }


    private static byte[] Bytes(long offset, int count) => [.. Enumerable.Range(0, count).Select(at => (byte)((offset + at) * 31 % 251))];
}
