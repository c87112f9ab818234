using System.Net;

namespace Vks.Supervisor.Configuration;

/// <summary>Arithmetic of addresses.</summary>
internal static class AddressRanges
{
    /// <summary>The network that an address lies in.</summary>
    /// <param name="address">Any address of it.</param>
    /// <param name="prefix">Length of the prefix, in bits.</param>
    public static IPNetwork NetworkOf(IPAddress address, int prefix)
    {
        byte[] bytes = address.GetAddressBytes();
        for (var bit = prefix; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        }

        return new IPNetwork(new IPAddress(bytes), prefix);
    }

    /// <summary>The address that comes a number of addresses after another.</summary>
    /// <param name="first">Where to count from.</param>
    /// <param name="steps">How far; 0 is the address itself.</param>
    /// <exception cref="OverflowException">There is no address that far.</exception>
    public static IPAddress Next(IPAddress first, int steps)
    {
        byte[] bytes = first.GetAddressBytes();
        int carry = steps;
        for (int index = bytes.Length - 1; index >= 0 && carry > 0; index--)
        {
            carry += bytes[index];
            bytes[index] = (byte)carry;
            carry >>= 8;
        }

        return carry == 0 ? new IPAddress(bytes) : throw new OverflowException($"there is no address {steps} after {first}");
    }

    /// <summary>Each pair of ranges that have addresses in common, in words.</summary>
    /// <param name="ranges">Named ranges of either family.</param>
    public static IEnumerable<string> Overlaps(IReadOnlyList<(string Name, IPNetwork Range)> ranges) =>
        from one in Enumerable.Range(0, ranges.Count)
        from other in Enumerable.Range(one + 1, ranges.Count - one - 1)
        where ranges[one].Range.BaseAddress.AddressFamily == ranges[other].Range.BaseAddress.AddressFamily
            && (ranges[one].Range.Contains(ranges[other].Range.BaseAddress) || ranges[other].Range.Contains(ranges[one].Range.BaseAddress))
        select $"{ranges[one].Name} {ranges[one].Range} and {ranges[other].Name} {ranges[other].Range} have addresses in common";
}
