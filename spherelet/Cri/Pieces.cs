using Google.Protobuf;

namespace Vks.Spherelet.Cri;

/// <summary>Cuts a list into messages that fit any client's limit.</summary>
internal static class Pieces
{
    /// <summary>What a piece may hold in bytes, unless a single item is larger; clients commonly take 4 MiB or more.</summary>
    private const int MostBytes = 1024 * 1024;

    /// <summary>The items in order, in lists of at least one.</summary>
    public static IEnumerable<IReadOnlyList<T>> Of<T>(IEnumerable<T> items)
        where T : IMessage
    {
        var piece = new List<T>();
        var bytes = 0;
        foreach (T item in items)
        {
            int size = item.CalculateSize();
            if (piece.Count > 0 && bytes + size > MostBytes)
            {
                yield return piece;
                piece = [];
                bytes = 0;
            }

            piece.Add(item);
            bytes += size;
        }

        if (piece.Count > 0)
        {
            yield return piece;
        }
    }
}
