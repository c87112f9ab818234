using System.Text;
using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Disks;

/// <summary>Finds disks by the serial number the host gave them.</summary>
internal sealed class BlockDevices(KernelEvents events, TimeProvider time, string sysBlock = "/sys/block", string dev = "/dev")
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(10);

    /// <summary>Gives the device node of the disk, waiting up to 10 s for one that is being plugged.</summary>
    /// <exception cref="AgentException">NotFound: no such disk came.</exception>
    internal async Task<string> FindAsync(string serial, CancellationToken cancellationToken)
    {
        using KernelEvents.Subscription news = events.Subscribe();
        using var patience = new CancellationTokenSource(_patience, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        while (true)
        {
            if (Look(serial) is { } found)
            {
                return found;
            }

            try
            {
                await news.NextAsync(both.Token);
            }
            catch (OperationCanceledException) when (patience.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw new AgentException(
                    GuestFault.NotFound,
                    $"No disk with serial '{serial}' came within {_patience.TotalSeconds:0} s; present: {string.Join(", ", Present())}. Plug it before it is used.");
            }
        }
    }

    /// <summary>The serial in a unit serial number page (VPD 0x80): 4 bytes of header, the last its length, then ASCII padded by blanks.</summary>
    internal static string? ParseSerial(ReadOnlySpan<byte> page)
    {
        if (page.Length < 4 || page[1] != 0x80)
        {
            return null;
        }

        int length = Math.Min(page[3], page.Length - 4);
        return Encoding.ASCII.GetString(page.Slice(4, length)).Trim(' ', '\0');
    }

    private string? Look(string serial)
    {
        foreach (string block in Blocks())
        {
            string node = Path.Combine(dev, Path.GetFileName(block));
            if (SerialOf(block) == serial && CanBeOpened(node))
            {
                return node;
            }
        }

        return null;
    }

    // A disk shows in sysfs, with its serial and its node, before the kernel lets it be opened: until then the answer is ENXIO.
    // The announcement comes after that moment, so that a look which was too early is made again.
    private static bool CanBeOpened(string node)
    {
        int fd = Libc.Open(node, Constants.OpenReadOnly | Constants.OpenNonBlocking | Constants.OpenCloseOnExec, 0);
        if (fd < 0)
        {
            return false;
        }

        _ = Libc.Close(fd);
        return true;
    }

    private IEnumerable<string> Present() =>
        Blocks().Select(block => $"{Path.GetFileName(block)}='{SerialOf(block)}'");

    // virtio-blk first: it is there from the beginning, so there are few of them and no wait.
    private IEnumerable<string> Blocks() => Directory.GetDirectories(sysBlock, "vd*").Concat(Directory.GetDirectories(sysBlock, "sd*"));

    private static string? SerialOf(string block)
    {
        try
        {
            if (Path.GetFileName(block).StartsWith('v'))
            {
                return Descriptors.ReadLine(Path.Combine(block, "serial"));
            }

            return ParseSerial(File.ReadAllBytes(Path.Combine(block, "device", "vpd_pg80")));
        }
        catch (Exception exception) when (exception is IOException or AgentException)
        {
            // Unplugged while we looked, or not yet complete: its announcement follows.
            return null;
        }
    }
}
