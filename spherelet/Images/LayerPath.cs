namespace Vks.Spherelet.Images;

/// <summary>Reads paths of layers. Pure.</summary>
internal static class LayerPath
{
    /// <summary>Longest path in bytes (Linux PATH_MAX).</summary>
    public const int MaxPathBytes = 4096;

    /// <summary>Longest name in bytes (Linux NAME_MAX).</summary>
    public const int MaxNameBytes = 255;

    /// <summary>The names on the way to an entry; none for the root.</summary>
    /// <remarks>
    /// An absolute path means one below the image's root, as every runtime reads it. <c>..</c> is refused: no honest builder
    /// writes it. Newlines and other odd bytes are allowed, as they are in Linux names.
    /// </remarks>
    /// <exception cref="LayerFormatException">The path leads out of the image, or is too long, or has a NUL.</exception>
    public static string[] Split(string path)
    {
        if (path.Contains('\0', StringComparison.Ordinal))
        {
            throw new LayerFormatException($"The path '{TarEntry.Show(path.Replace("\0", "\\0", StringComparison.Ordinal))}' has a NUL in it.");
        }

        if (path.Length > MaxPathBytes)
        {
            throw new LayerFormatException($"The path '{TarEntry.Show(path[..80])}…' has {path.Length} bytes; at most {MaxPathBytes} are possible.");
        }

        string[] names = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        int kept = 0;
        foreach (string name in names)
        {
            if (name == "..")
            {
                throw new LayerFormatException($"The path '{TarEntry.Show(path)}' has '..' in it and may lead out of the image.");
            }

            if (name.Length > MaxNameBytes)
            {
                throw new LayerFormatException($"The name '{TarEntry.Show(name[..80])}…' has {name.Length} bytes; at most {MaxNameBytes} are possible.");
            }

            if (name != ".")
            {
                names[kept++] = name;
            }
        }

        return kept == names.Length ? names : names[..kept];
    }
}
