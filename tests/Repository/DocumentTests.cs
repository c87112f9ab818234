using System.Text.RegularExpressions;
using Vks.Tests.Kit;

namespace Vks.Tests.Repository;

/// <summary>What the documents promise about the tree is true.</summary>
public sealed partial class DocumentTests
{
    [Fact]
    public void Every_link_in_a_readme_leads_somewhere()
    {
        List<string> faults = [];
        foreach (string file in RepositoryRoot.SourceFiles("*.md"))
        {
            string folder = Path.GetDirectoryName(RepositoryRoot.Combine(file))!;
            foreach (Match link in Link().Matches(File.ReadAllText(RepositoryRoot.Combine(file))))
            {
                string target = link.Groups["target"].Value.Split('#')[0];
                if (target.Length > 0 && !target.Contains("://", StringComparison.Ordinal) && !Path.Exists(Path.Combine(folder, target)))
                {
                    faults.Add($"{file}: link to {target} leads nowhere");
                }
            }
        }

        Assert.Empty(faults);
    }

    [Theory]
    [InlineData("runtime")]
    [InlineData("spherelet")]
    [InlineData("supervisor")]
    [InlineData("images")]
    [InlineData("bench")]
    [InlineData("lab")]
    [InlineData("tests")]
    public void Every_top_folder_has_a_readme_that_the_main_one_links(string folder)
    {
        string readme = RepositoryRoot.Combine(folder, "README.md");

        Assert.True(File.Exists(readme), $"{folder}/README.md is missing");
        Assert.Contains($"({folder}/README.md)", File.ReadAllText(RepositoryRoot.Combine("README.md")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_entry_script_explains_every_command_it_takes()
    {
        string script = File.ReadAllText(RepositoryRoot.Combine("vks"));
        IEnumerable<string> taken = CaseLabel().Matches(script[script.LastIndexOf("case $command in", StringComparison.Ordinal)..])
            .Select(match => match.Groups["name"].Value);
        string help = script[script.IndexOf("usage: ./vks", StringComparison.Ordinal)..script.IndexOf("State:", StringComparison.Ordinal)];

        Assert.Equal(["bench", "build", "doctor", "down", "help", "lab", "packages", "test", "up"], taken.Order(StringComparer.Ordinal));
        Assert.All(taken, name => Assert.Contains($"\n  {name} ", help, StringComparison.Ordinal));
    }

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^  (?<name>[a-z]+)(?:\|[-a-z|]+)?\)", RegexOptions.Multiline)]
    private static partial Regex CaseLabel();
}
