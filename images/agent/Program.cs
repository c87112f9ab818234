using Tmds.Linux;
namespace Vks.Agent;
internal static class Program
{
    private static async Task<int> Main()
    {
        int pid = LibC.getpid();
        await Task.Delay(1);
        Console.WriteLine("pid " + pid + " " + LibC.EAGAIN);
        return 0;
    }
}
