using System.Globalization;
using System.Text;

namespace Vks.Spherelet.Images;

/// <summary>The records of one PAX extended header that say something of the next entry. Pure.</summary>
internal sealed class TarPaxRecords
{
    private const string XattrPrefix = "SCHILY.xattr.";

    private readonly List<KeyValuePair<string, byte[]>> _xattrs = [];

    /// <summary>Path, or null.</summary>
    public string? Path { get; private set; }

    /// <summary>Link target, or null.</summary>
    public string? LinkPath { get; private set; }

    /// <summary>Bytes of content, or null.</summary>
    public long? Size { get; private set; }

    /// <summary>Owner, or null.</summary>
    public long? Uid { get; private set; }

    /// <summary>Group, or null.</summary>
    public long? Gid { get; private set; }

    /// <summary>Seconds since 1970, or null.</summary>
    public long? Mtime { get; private set; }

    /// <summary>Extended attributes.</summary>
    public IReadOnlyList<KeyValuePair<string, byte[]>> Xattrs => _xattrs;

    /// <summary>Reads records of the form <c>LENGTH KEY=VALUE\n</c>, LENGTH counting the whole record.</summary>
    /// <remarks>Values are taken by length: those of extended attributes are binary and may hold newlines, NULs and '='.</remarks>
    /// <exception cref="LayerFormatException">Malformed, or sparse files, which the OCI image spec advises against.</exception>
    public static TarPaxRecords Parse(ReadOnlySpan<byte> data)
    {
        TarPaxRecords records = new();
        while (!data.IsEmpty && data[0] != 0)
        {
            int space = data.IndexOf((byte)' ');
            if (space is < 1 or > 7
                || !int.TryParse(data[..space], NumberStyles.None, CultureInfo.InvariantCulture, out int length)
                || length <= space + 2 || length > data.Length || data[length - 1] != (byte)'\n')
            {
                throw new LayerFormatException("A PAX header has a record without a right length.");
            }

            ReadOnlySpan<byte> record = data[(space + 1)..(length - 1)];
            int equals = record.IndexOf((byte)'=');
            if (equals < 1)
            {
                throw new LayerFormatException("A PAX header has a record without a key.");
            }

            records.Set(Encoding.Latin1.GetString(record[..equals]), record[(equals + 1)..]);
            data = data[length..];
        }

        return records;
    }

    private void Set(string key, ReadOnlySpan<byte> value)
    {
        switch (key)
        {
            case "path":
                Path = Name(value, key);
                break;
            case "linkpath":
                LinkPath = Name(value, key);
                break;
            case "size":
                Size = Integer(value, key);
                break;
            case "uid":
                Uid = Integer(value, key);
                break;
            case "gid":
                Gid = Integer(value, key);
                break;
            case "mtime":
                int dot = value.IndexOf((byte)'.');
                Mtime = Integer(dot < 0 ? value : value[..dot], key);
                break;
            default:
                if (key.StartsWith("GNU.sparse.", StringComparison.Ordinal))
                {
                    throw new LayerFormatException("A layer has a sparse file in GNU's tar form. Make the image again without sparse files.");
                }

                if (key.Length > XattrPrefix.Length && key.StartsWith(XattrPrefix, StringComparison.Ordinal))
                {
                    string name = key[XattrPrefix.Length..];
                    _xattrs.RemoveAll(pair => pair.Key == name);
                    _xattrs.Add(new(name, value.ToArray()));
                }

                break;
        }
    }

    // An empty value takes a record back (POSIX pax).
    private static string? Name(ReadOnlySpan<byte> value, string key)
    {
        if (value.Contains((byte)0))
        {
            throw new LayerFormatException($"A PAX header's {key} has a NUL in it.");
        }

        return value.IsEmpty ? null : Encoding.Latin1.GetString(value);
    }

    private static long? Integer(ReadOnlySpan<byte> value, string key)
    {
        if (value.IsEmpty)
        {
            return null;
        }

        return long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            ? number
            : throw new LayerFormatException($"A PAX header's {key} is not a number.");
    }
}
