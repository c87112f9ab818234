namespace Vks.Tests.Kit;

/// <summary>The checkout the tests were built from.</summary>
internal static class RepositoryRoot
{
    /// <summary>Absolute path of the folder that holds Vks.Runtime.sln.</summary>
    public static string Path { get; } = Find();

    /// <summary>Absolute path of something in the checkout.</summary>
    public static string Combine(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>Files that git tracks or would track, relative to the root, with '/'.</summary>
    public static IEnumerable<string> SourceFiles(string pattern) =>
        Directory.EnumerateFiles(Path, pattern, SearchOption.AllDirectories)
            .Select(file => System.IO.Path.GetRelativePath(Path, file))
            .Where(file => !file.Split('/').Any(part => part is "artifacts" or "bin" or "obj" or ".git"));

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Vks.Runtime.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"No Vks.Runtime.sln above {AppContext.BaseDirectory}: run the tests from a checkout.");
    }
}
